// A camera path: views that were kept, a smooth flight through them, and its file, a
// camera_path.json as nerfstudio's, which `fieldlr render --path` reads.

import { toUser } from "../spaces.js";
import { find, isInApp } from "./panel.js";

const SECONDS = 1.5; // from one view to the next
const RATE = 30; // frames a second
const HEIGHT = 720;

export const PATH_CONTROLS = `<details id="path"><summary>Camera path</summary>
<button id="keep">Keep this view</button> <button id="play" disabled>Play</button>
<button id="clear" disabled>Clear</button> <button id="save-path" disabled>Save path</button>
<button id="film" disabled hidden>Render video</button><p id="kept" role="status"></p></details>`;

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const unit = (a) => a.map((x) => x / Math.hypot(...a));

/** Between the second and the third of four numbers or vectors (Catmull and Rom 1974). */
function spline([a, b, c, d], t) {
  if (Array.isArray(a)) return a.map((_, k) => spline([a[k], b[k], c[k], d[k]], t));
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

/** The view {eye, right, up, back, angle} at t, from 0 to the number of views less one. */
export function viewAt(views, t) {
  const first = Math.min(Math.floor(t), views.length - 2);
  const near = [-1, 0, 1, 2].map((k) => views[Math.max(0, Math.min(views.length - 1, first + k))]);
  const between = (name) => spline(near.map((view) => view[name]), t - first);
  const back = unit(between("back"));
  const up = between("up");
  const level = unit(up.map((x, k) => x - dot(up, back) * back[k]));
  const right = [0, 1, 2].map((k) => level[(k + 1) % 3] * back[(k + 2) % 3] - level[(k + 2) % 3] * back[(k + 1) % 3]);
  return { eye: between("eye"), right, up: level, back, angle: between("angle") };
}

/** The camera_path.json of views of the field's frame; `aspect` is width over height. */
export function pathFile(views, frame, aspect) {
  const frames = Math.round((views.length - 1) * SECONDS * RATE);
  const turn = frame && { ...frame, scale: 1, translation: [0, 0, 0] };
  const camera = ({ eye, right, up, back, angle }) => {
    const axes = [right, up, back].map((v) => [...toUser(Float64Array.from(v), turn)]);
    const place = [...toUser(Float64Array.from(eye), frame)];
    const rows = [0, 1, 2].map((k) => [axes[0][k], axes[1][k], axes[2][k], place[k]]);
    return { camera_to_world: [...rows.flat(), 0, 0, 0, 1], fov: (angle * 180) / Math.PI, aspect };
  };
  return {
    camera_type: "perspective",
    render_height: HEIGHT,
    render_width: 2 * Math.round((HEIGHT * aspect) / 2),
    fps: RATE,
    seconds: frames / RATE,
    keyframes: views.map((view) => camera(view)),
    camera_path: Array.from({ length: frames + 1 }, (_, i) =>
      camera(viewAt(views, (i / frames) * (views.length - 1))),
    ),
  };
}

/**
 * Starts the controls of a path. `now()` gives the view on show, `fly(view)` shows one and `fly()`
 * the one before; `file(views)` is the camera_path.json.
 */
export function startPath({ now, fly, file, name }) {
  const views = [];
  let playing = 0;
  const stop = () => {
    if (playing) fly();
    playing = 0;
    find("#play").textContent = "Play";
  };
  const changed = () => {
    stop();
    for (const id of ["#play", "#save-path", "#film"]) find(id).disabled = views.length < 2;
    find("#clear").disabled = !views.length;
    const more = views.length === 1 ? " Keep another one." : "";
    const seconds = ((views.length - 1) * SECONDS).toFixed(1);
    const long = views.length > 1 ? `, ${seconds} s` : "";
    find("#kept").textContent = views.length ? `${views.length} kept${long}.${more}` : "";
  };
  const step = (began, own) => {
    if (playing !== own) return;
    const t = (performance.now() - began) / 1000 / SECONDS;
    if (t >= views.length - 1) return stop();
    fly(viewAt(views, t));
    requestAnimationFrame(() => step(began, own));
  };
  find("#keep").onclick = () => {
    stop();
    views.push(now());
    changed();
  };
  find("#clear").onclick = () => {
    views.length = 0;
    changed();
  };
  find("#play").onclick = () => {
    if (playing) return stop();
    find("#play").textContent = "Stop";
    step(performance.now(), (playing = performance.now()));
  };
  find("#save-path").onclick = () => {
    const href = URL.createObjectURL(new Blob([JSON.stringify(file(views), null, 1)]));
    Object.assign(document.createElement("a"), { href, download: `${name}-camera_path.json` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  };
  find("#film").hidden = !isInApp();
  find("#film").onclick = () => parent.postMessage({ path: file(views) }, location.origin);
  changed();
  return { end: () => (playing = 0) };
}
