// A scene of photos on the page: drawn by rays, from where its photos were taken and near there.

import { toField } from "../spaces.js";
import { bounds, cornersOf, edges } from "./boxes.js";
import { CROP_CONTROLS, startCrop } from "./crop.js";
import { control } from "./input.js";
import { facts, find, isInApp, isPressed, press } from "./panel.js";
import { PATH_CONTROLS, pathFile, startPath } from "./path.js";
import { PHOTO_CONTROLS, startPhotos } from "./photos.js";
import { PoseCamera, projected } from "./pose.js";
import { RATE_CONTROLS, startRate } from "./rate.js";
import { SceneDrawing } from "./scene-drawing.js";

const CONTROLS = `<label>View <select id="camera"></select></label>
<button id="distance" aria-pressed="false">Depth</button> ${PHOTO_CONTROLS}
<button id="reset">Reset view</button>
${CROP_CONTROLS}
${PATH_CONTROLS}
${RATE_CONTROLS}
<p>Drag turns, shift-drag moves, wheel or pinch zooms.</p>`;

// Milliseconds that a picture may take: in the app it takes them from a training.
const [LONGEST, LONGEST_IN_APP] = [120_000, 5000];
const PAUSE = 2; // milliseconds between two looks at what the GPU has done

/** Shows a scene; gives {end, crop}: `crop(text)` shows a box of it. */
export function showScene({ field, bytes, photos: known, name, canvas, controls, say }) {
  if (field.networks.length > 1) {
    throw new Error("A coarse and a fine network are too slow for a page: this is a picture of the field.");
  }
  const drawing = new SceneDrawing(canvas, field, isInApp() ? LONGEST_IN_APP : LONGEST);
  const kept = field.about.cameras;
  // In the app all cameras are known with their photos, else those of the file, perhaps with theirs.
  const cameras = known.length ? known.map((photo, i) => ({ ...kept[i], ...photo })) : kept;
  const camera = new PoseCamera(field.space, cameras);
  controls.innerHTML = CONTROLS;
  const titles = camera.views.map((_, i) => titleOf(cameras[i] ?? {}, i));
  titles.forEach((title, i) => find("#camera").add(new Option(title, i, false, i === camera.index)));
  find("#camera").parentNode.hidden = cameras.length < 2;
  const rate = startRate();
  let [queued, isOver] = [false, false];

  const fit = () => {
    const ratio = Math.min(devicePixelRatio, 2);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((n) => Math.max(1, Math.round(n * ratio)));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    camera.aspect = width / height;
  };
  const work = () => {
    queued = false;
    if (isOver) return;
    const before = drawing.shown;
    const hasMore = drawing.work();
    // The finer pictures of a view at rest are no frames.
    if (drawing.shown !== before && drawing.shown.isFirst) rate.count();
    find("progress").hidden = !hasMore;
    find("progress").value = drawing.progress;
    document.documentElement.dataset.view = hasMore ? "coarse" : "done";
    if (hasMore) queue();
  };
  // Not by animation frames: a browser that is busy drawing gives one a second.
  const queue = () => {
    if (!queued) setTimeout(work, PAUSE);
    queued = true;
  };
  let flown = null; // a view in place of the camera's, while a path is played
  const look = () => {
    fit();
    document.documentElement.dataset.view = "coarse";
    const pose = flown ? flownPose() : camera.pose;
    drawing.look({ pose, showsDepth: isPressed("#distance"), crop: rowsOf(crop, whole, field.frame) });
    drawBox(pose);
    photos.update(pose, !flown && camera.isUnmoved);
    queue();
  };
  // A scene in front of the camera has no box.
  const whole = field.space.low && bounds(cornersOf({ ...field.space, frame: field.frame }));
  find("#crop").hidden = !whole;
  const crop = whole && startCrop({ root: find("#crop"), whole, moved: () => look(), changed: () => look(), say });
  const lines = document.createElementNS("http://www.w3.org/2000/svg", "g");
  find("#ruler").prepend(lines);
  const drawBox = (pose) => {
    const place = (point) => {
      const { depth, place } = projected(toField(point, field.frame), pose, canvas);
      return depth > 0 ? place : null;
    };
    lines.innerHTML = crop && find("#crop").open ? edges(cornersOf(crop.within(whole)), place) : "";
  };
  const flownPose = () => {
    const tall = 0.5 / Math.tan(0.5 * flown.angle);
    return { ...flown, lens: [tall / camera.aspect, tall, 0.5, 0.5], unit: camera.unit };
  };

  const jump = (index) => {
    camera.jump(index);
    find("#camera").value = index;
    look();
  };
  const photos = startPhotos({ canvas, camera, cameras, titles, jump, changed: () => look() });
  control(canvas, camera, look, photos.clicked);
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  canvas.addEventListener("webglcontextrestored", () => {
    drawing.prepare();
    look();
  });
  find("#camera").onchange = ({ target }) => jump(Number(target.value));
  find("#distance").onclick = ({ target }) => press(target, look);
  find("#reset").onclick = () => {
    camera.reset();
    look();
  };
  const path = startPath({
    name,
    now() {
      const { eye, right, up, back, lens } = camera.pose;
      return { eye, right, up, back, angle: 2 * Math.atan(0.5 / lens[1]) };
    },
    fly(view = null) {
      flown = view;
      look();
    },
    file: (views) => pathFile(views, field.frame, camera.aspect),
  });
  facts({
    "File size": `${bytes.length.toLocaleString("en")} bytes`,
    Parameters: field.tensors.reduce((sum, tensor) => sum + tensor.length, 0).toLocaleString("en"),
  });
  say("");
  const resized = new ResizeObserver(look);
  resized.observe(canvas);
  look();
  return {
    crop: crop?.set,
    end() {
      isOver = true;
      path.end();
      photos.end();
      rate.end();
      resized.disconnect();
      drawing.gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

const titleOf = ({ name, heldOut }, index) => `${name ?? `view ${index + 1}`}${heldOut ? " (held out)" : ""}`;

/** The rows of four that lead from the field's frame into the cube of a crop box, zeros where all is shown. */
function rowsOf(crop, whole, frame) {
  if (!crop || crop.isWhole()) return new Float32Array(12);
  const { low, high } = crop.within(whole);
  const { rotation, scale, translation } = frame ?? { rotation: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], scale: 1, translation: [0, 0, 0] };
  return Float32Array.from(
    low.flatMap((a, k) => {
      const half = (high[k] - a) / 2;
      return [...rotation[k].map((x) => (scale * x) / half), (translation[k] - a - half) / half];
    }),
  );
}
