// A shape on the page: its mesh, the light on it, and what one may do with it.

import { bounds, cornersOf, edges, line } from "./boxes.js";
import { Camera } from "./camera.js";
import { CROP_CONTROLS, startCrop } from "./crop.js";
import { Drawing } from "./drawing.js";
import { download, FORMAT_NAMES } from "./files.js";
import { control } from "./input.js";
import { startMesher } from "./mesher.js";
import { PATH_CONTROLS, pathFile, startPath } from "./path.js";
import { RATE_CONTROLS, startRate } from "./rate.js";
import { facts, figure, find, isInApp, isPressed, press } from "./panel.js";

const RESOLUTIONS = [64, 128, 256, 512];
const FIRST_RESOLUTION = 128;
const SPIN = 0.12; // radians a second, until someone takes over

const CONTROLS = `<label>Samples <select id="samples"></select></label>
<label>Level <input id="level" type="range" min="-4" max="4" step="0.05" value="0"
title="Lower is fuller"></label>
<label>Section <select id="axis"><option value="">off</option><option>x</option><option>y</option>
<option>z</option></select><input id="depth" type="range" min="0" max="1" step="0.002" value="0.5"
aria-label="Place of the section"></label>
<label>Up <select id="up"><option>x</option><option>y</option><option selected>z</option></select>
</label><button id="wireframe" aria-pressed="false">Wireframe</button>
<button id="measure" aria-pressed="false">Ruler</button> <button id="reset">Reset view</button>
${CROP_CONTROLS}
${PATH_CONTROLS}
${RATE_CONTROLS}
<label>Save as <span><select id="format"></select> <button id="save">Download</button></span></label>
<p>Drag turns, shift-drag moves, wheel or pinch zooms.</p>`;

/** Shows a shape; gives {end, crop, renew}: `renew(field, bytes)` shows a later state of it, `crop(text)` a box. */
export function showShape({ field, bytes, name, source, canvas, controls, say, script }) {
  controls.innerHTML = CONTROLS;
  for (const n of RESOLUTIONS) find("#samples").add(new Option(n, n, false, n === FIRST_RESOLUTION));
  for (const format of FORMAT_NAMES) find("#format").add(new Option(format));
  const drawing = new Drawing(canvas);
  const rate = startRate();
  const box = bounds(cornersOf({ ...field.space, frame: field.frame }));
  const camera = new Camera(box);
  const ruler = [];
  let [queued, last, isOver] = [false, performance.now(), false];
  // In the app it would take time from the training.
  let isSpinning = !isInApp() && !matchMedia("(prefers-reduced-motion: reduce)").matches;
  let side = 1; // of the section: the cut faces the viewer when it is made

  const options = () => {
    const axis = "xyz".indexOf(find("#axis").value || "-");
    const section = [0, 0, 0, 1];
    if (axis >= 0) {
      section[axis] = side;
      section[3] = side * (box.low[axis] + find("#depth").value * (box.high[axis] - box.low[axis]));
    }
    find("#depth").disabled = axis < 0;
    return { section, wireframe: isPressed("#wireframe") };
  };

  /** What is kept, in the field's frame. */
  const cropBox = () => ({ ...crop.within(field.space), frame: field.frame });

  const draw = (now) => {
    queued = false;
    if (isOver) return;
    if (isSpinning) camera.turn((SPIN * Math.min(now - last, 100)) / 1000, 0);
    if (camera.turned > 2 * Math.PI) isSpinning = false;
    last = now;
    const ratio = Math.min(devicePixelRatio, 2);
    const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    camera.aspect = width / height;
    drawing.draw(camera, options());
    rate.count();
    drawMarks(ruler, find("#crop").open ? cornersOf(cropBox()) : [], camera, canvas);
    if (isSpinning) redraw();
  };
  const redraw = () => {
    if (!queued) requestAnimationFrame(draw);
    queued = true;
  };
  const stopAndRedraw = () => {
    isSpinning = false;
    redraw();
  };

  control(canvas, camera, stopAndRedraw, (event) => {
    stopAndRedraw();
    if (!isPressed("#measure")) return;
    const x = (2 * event.offsetX) / canvas.clientWidth - 1;
    const y = 1 - (2 * event.offsetY) / canvas.clientHeight;
    const point = drawing.pick(camera, options(), x, y);
    if (!point) return;
    if (ruler.length > 1) ruler.length = 0;
    ruler.push(point);
  });
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  canvas.addEventListener("webglcontextrestored", () => {
    drawing.prepare();
    redraw();
  });

  const show = (message) => {
    if (message.error) return say(`This field cannot be shown: ${message.error}`);
    if (message.progress) return (find("progress").value = message.progress);
    if (!message.faces.length) say("There is no surface at this level. Move the level.");
    else say(message.isLast ? "" : "Refining ...");
    find("progress").hidden = message.isLast;
    drawing.show(message);
    const { low, high } = bounds(cornersOf(cropBox()));
    const size = high.map((b, k) => figure(b - low[k])).join(" × ");
    facts({
      Box: size,
      Area: `${figure(message.area)} units²`,
      Volume: `${figure(message.volume)} units³`,
      Triangles: (message.faces.length / 3).toLocaleString("en"),
      "File size": `${bytes.length.toLocaleString("en")} bytes`,
    });
    document.documentElement.dataset.mesh = message.isLast ? "done" : "coarse";
    if (isInApp() && message.isLast) parent.postMessage({ shown: true }, location.origin);
    redraw();
  };
  let mesher = startMesher(bytes, script, show);
  const extract = () => {
    say("Computing the surface ...");
    find("progress").hidden = false;
    find("progress").value = 0;
    document.documentElement.dataset.mesh = "";
    ruler.length = 0;
    const { low, high } = cropBox();
    mesher.show({ level: Number(find("#level").value), resolution: Number(find("#samples").value), box: { low, high } });
  };

  const on = (selector, event, act) => find(selector).addEventListener(event, act);
  on("#samples", "change", extract);
  on("#level", "change", extract);
  const crop = startCrop({ root: find("#crop"), whole: box, moved: redraw, changed: extract, say });
  on("#save", "click", () => drawing.mesh && download(drawing.mesh, find("#format").value, name));
  on("#axis", "change", ({ target }) => {
    side = camera.back["xyz".indexOf(target.value)] < 0 ? -1 : 1;
    redraw();
  });
  on("#depth", "input", redraw);
  const stand = () => {
    camera.upright = "xyz".indexOf(find("#up").value);
    if (source) localStorage.setItem(`fieldlr-up-${source}`, find("#up").value);
    stopAndRedraw();
  };
  on("#up", "change", stand);
  on("#wireframe", "click", (event) => press(event.target, redraw));
  on("#measure", "click", (event) =>
    press(event.target, (isOn) => {
      canvas.classList.toggle("measuring", isOn);
      ruler.length = 0;
      say(isOn ? "Click two points of the surface." : "");
      redraw();
    }),
  );
  on("#reset", "click", () => {
    camera.reset();
    stopAndRedraw();
  });
  const path = startPath({
    name,
    now: () => camera.view,
    fly(view = null) {
      camera.flown = view;
      stopAndRedraw();
    },
    // The mesh is in the user's frame already.
    file: (views) => pathFile(views, null, camera.aspect),
  });
  const resized = new ResizeObserver(redraw);
  resized.observe(canvas);
  // In the app a source stands as it was last made to stand.
  const upright = source && localStorage.getItem(`fieldlr-up-${source}`);
  if (upright) {
    find("#up").value = upright;
    stand();
  }
  extract();
  return {
    crop: crop.set,
    renew(later, laterBytes) {
      mesher.end();
      [field, bytes] = [later, laterBytes];
      mesher = startMesher(bytes, script, show);
      extract();
    },
    end() {
      isOver = true;
      path.end();
      rate.end();
      mesher.end();
      resized.disconnect();
      drawing.gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

/** Draws the measured points, the line between them and its length, and the edges of a box. */
function drawMarks(points, corners, camera, { clientWidth, clientHeight }) {
  const place = (point) => {
    const at = camera.project(point);
    return at && [((at[0] + 1) / 2) * clientWidth, ((1 - at[1]) / 2) * clientHeight];
  };
  const at = points.map(place).filter(Boolean);
  let marks = at.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="4"/>`).join("");
  if (at.length > 1) {
    const [[x1, y1], [x2, y2]] = at;
    const length = Math.hypot(...points[0].map((p, k) => p - points[1][k]));
    marks += line(...at);
    marks += `<text x="${(x1 + x2) / 2 + 8}" y="${(y1 + y2) / 2 - 8}">${figure(length)} units</text>`;
  }
  find("#ruler").innerHTML = marks + edges(corners, place);
}
