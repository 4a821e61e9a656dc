// A scene of photos on the page: drawn by rays, from where its photos were taken and near there.

import { control } from "./input.js";
import { facts, find, isInApp, isPressed, press } from "./panel.js";
import { PATH_CONTROLS, pathFile, startPath } from "./path.js";
import { PoseCamera } from "./pose.js";
import { SceneDrawing } from "./scene-drawing.js";

const CONTROLS = `<label>Held-out view <select id="camera"></select></label>
<button id="distance" aria-pressed="false">Depth</button> <button id="reset">Reset view</button>
${PATH_CONTROLS}
<p>Drag turns, shift-drag moves, wheel or pinch zooms.</p>`;

// Milliseconds that a picture may take: in the app it takes them from a training.
const [LONGEST, LONGEST_IN_APP] = [120_000, 5000];
const PAUSE = 2; // milliseconds between two looks at what the GPU has done

/** Shows a scene; gives {end}. */
export function showScene({ field, bytes, name, canvas, controls, say }) {
  if (field.networks.length > 1) {
    throw new Error("A coarse and a fine network are too slow for a page: this is a picture of the field.");
  }
  const drawing = new SceneDrawing(canvas, field, isInApp() ? LONGEST_IN_APP : LONGEST);
  const { cameras } = field.about;
  const camera = new PoseCamera(field.space, cameras);
  controls.innerHTML = CONTROLS;
  camera.views.forEach((_, i) => find("#camera").add(new Option(i + 1, i, false, i === camera.index)));
  find("#camera").parentNode.hidden = cameras.length < 2;
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
    const hasMore = drawing.work();
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
    drawing.look({ pose: flown ? flownPose() : camera.pose, showsDepth: isPressed("#distance") });
    queue();
  };
  const flownPose = () => {
    const tall = 0.5 / Math.tan(0.5 * flown.angle);
    return { ...flown, lens: [tall / camera.aspect, tall, 0.5, 0.5], unit: camera.unit };
  };

  control(canvas, camera, look, () => {});
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  canvas.addEventListener("webglcontextrestored", () => {
    drawing.prepare();
    look();
  });
  find("#camera").onchange = ({ target }) => {
    camera.jump(Number(target.value));
    look();
  };
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
    end() {
      isOver = true;
      path.end();
      resized.disconnect();
      drawing.gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}
