// The page: fields from the document, one of them on show, and what one may do with it.

import { decode } from "../field.js";
import { toUser } from "../spaces.js";
import { Camera } from "./camera.js";
import { Drawing } from "./drawing.js";
import { control } from "./input.js";
import { startMesher } from "./mesher.js";

/* global STYLE */

const RESOLUTIONS = [64, 128, 256, 512];
const FIRST_RESOLUTION = 128;
const SPIN = 0.12; // radians a second, until someone takes over

const MARKUP = `<canvas tabindex="0" aria-label="3-D view. Arrow keys turn it, shift and arrow keys move it,
plus and minus zoom, 0 resets."></canvas><svg id="ruler" aria-hidden="true"></svg>
<aside><h1></h1><nav></nav><p id="status" role="status"></p><progress max="1" hidden></progress>
<dl></dl><details open><summary>View</summary>
<label>Samples <select id="samples"></select></label>
<label>Level <input id="level" type="range" min="-4" max="4" step="0.05" value="0"
title="Lower is fuller"></label>
<label>Section <select id="axis"><option value="">off</option><option>x</option><option>y</option>
<option>z</option></select><input id="depth" type="range" min="0" max="1" step="0.002" value="0.5"
aria-label="Place of the section"></label>
<label>Up <select id="up"><option>x</option><option>y</option><option selected>z</option></select>
</label><button id="wireframe" aria-pressed="false">Wireframe</button>
<button id="measure" aria-pressed="false">Ruler</button> <button id="reset">Reset view</button>
<p>Drag turns, shift-drag moves, wheel or pinch zooms.</p></details></aside>`;

const find = (selector) => document.querySelector(selector);

/** Five digits at most, without trailing zeros. */
const figure = (x) => Number(x.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });

const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/** `script` is the address of this script, for workers. */
export function showPage(script) {
  const entries = JSON.parse(find("#fields").textContent);
  const style = document.createElement("style");
  style.textContent = STYLE;
  document.head.append(style);
  document.body.insertAdjacentHTML("beforeend", MARKUP);
  find("h1").textContent = document.title;
  if (innerWidth <= 600) find("details").open = false;
  for (const n of RESOLUTIONS) find("#samples").add(new Option(n, n, false, n === FIRST_RESOLUTION));
  let shown;
  const choose = (entry, button) => {
    shown?.end();
    for (const one of find("nav").children) one.setAttribute("aria-current", one === button);
    shown = showEntry(entry, script);
  };
  const buttons = entries.map((entry) => {
    const button = document.createElement("button");
    button.textContent = entry.name;
    button.onclick = () => choose(entry, button);
    return button;
  });
  if (entries.length > 1) find("nav").append(...buttons);
  choose(entries[0], buttons[0]);
}

/** Shows one field; gives {end}. */
function showEntry({ data, picture, name }, script) {
  const canvas = find("canvas").cloneNode();
  find("canvas").replaceWith(canvas);
  find("#picture")?.remove();
  find("#ruler").replaceChildren();
  find("dl").replaceChildren();
  const say = (text) => (find("#status").textContent = text);
  const still = (why) => {
    say(why);
    find("progress").hidden = find("details").hidden = true;
    if (!picture) return;
    const image = Object.assign(new Image(), { id: "picture", src: picture, alt: name });
    canvas.hidden = true;
    canvas.after(image);
  };
  find("details").hidden = canvas.hidden = false;
  find("#level").value = 0;
  find("#axis").value = "";
  find("#up").value = "z";
  for (const button of ["#wireframe", "#measure"]) find(button).setAttribute("aria-pressed", false);
  const bytes = bytesOf(data);
  let field, drawing;
  try {
    field = decode(bytes);
  } catch (error) {
    still(error.message);
    return { end() {} };
  }
  if (field.kind === "photos") {
    still("This field was made from photos. This page shows one picture of it.");
    return { end() {} };
  }
  try {
    drawing = new Drawing(canvas);
  } catch {
    still("This browser has no WebGL 2, so the shape cannot be drawn. Use a current browser.");
    return { end() {} };
  }
  return view(field, bytes, drawing, say, script);
}

function view(field, bytes, drawing, say, script) {
  const { canvas } = drawing;
  const box = userBox(field);
  const camera = new Camera(box);
  const ends = [];
  const ruler = [];
  let [queued, last, isOver] = [false, performance.now(), false];
  let isSpinning = !matchMedia("(prefers-reduced-motion: reduce)").matches;
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
    drawRuler(ruler, camera, canvas);
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

  const mesher = startMesher(bytes, script, (message) => {
    if (message.error) return say(`This field cannot be shown: ${message.error}`);
    if (message.progress) return (find("progress").value = message.progress);
    if (!message.faces.length) say("There is no surface at this level. Move the level.");
    else say(message.isLast ? "" : "Refining ...");
    find("progress").hidden = message.isLast;
    drawing.show(message);
    const size = box.high.map((b, k) => figure(b - box.low[k])).join(" × ");
    facts({
      Box: size,
      Area: `${figure(message.area)} units²`,
      Volume: `${figure(message.volume)} units³`,
      Triangles: (message.faces.length / 3).toLocaleString("en"),
      "File size": `${bytes.length.toLocaleString("en")} bytes`,
    });
    document.documentElement.dataset.mesh = message.isLast ? "done" : "coarse";
    redraw();
  });
  const extract = () => {
    say("Computing the surface ...");
    find("progress").hidden = false;
    find("progress").value = 0;
    document.documentElement.dataset.mesh = "";
    ruler.length = 0;
    mesher.show(Number(find("#level").value), Number(find("#samples").value));
  };

  const on = (selector, event, act) => {
    find(selector).addEventListener(event, act);
    ends.push(() => find(selector).removeEventListener(event, act));
  };
  on("#samples", "change", extract);
  on("#level", "change", extract);
  on("#axis", "change", ({ target }) => {
    side = camera.back["xyz".indexOf(target.value)] < 0 ? -1 : 1;
    redraw();
  });
  on("#depth", "input", redraw);
  on("#up", "change", ({ target }) => {
    camera.upright = "xyz".indexOf(target.value);
    stopAndRedraw();
  });
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
  const resized = new ResizeObserver(redraw);
  resized.observe(canvas);
  extract();
  return {
    end() {
      isOver = true;
      mesher.end();
      resized.disconnect();
      ends.forEach((act) => act());
      drawing.gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

const isPressed = (selector) => find(selector).ariaPressed === "true";

function press(button, act) {
  const isOn = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", isOn);
  act(isOn);
}

/** The box of a field in the user's frame. */
function userBox({ space, frame }) {
  const corners = Array.from({ length: 24 }, (_, i) =>
    ((i / 3) >> i % 3) & 1 ? space.high[i % 3] : space.low[i % 3],
  );
  const points = toUser(Float64Array.from(corners), frame);
  const along = (k) => points.filter((_, i) => i % 3 === k);
  return { low: [0, 1, 2].map((k) => Math.min(...along(k))), high: [0, 1, 2].map((k) => Math.max(...along(k))) };
}

function facts(entries) {
  find("dl").replaceChildren(
    ...Object.entries(entries).flatMap(([name, value]) => {
      const [dt, dd] = ["dt", "dd"].map((tag) => document.createElement(tag));
      dt.textContent = name;
      dd.textContent = value;
      return [dt, dd];
    }),
  );
}

/** Draws the measured points, the line between them and its length. */
function drawRuler(points, camera, { clientWidth, clientHeight }) {
  const at = points
    .map((point) => camera.project(point))
    .filter(Boolean)
    .map(([x, y]) => [((x + 1) / 2) * clientWidth, ((1 - y) / 2) * clientHeight]);
  let marks = at.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="4"/>`).join("");
  if (at.length > 1) {
    const [[x1, y1], [x2, y2]] = at;
    const length = Math.hypot(...points[0].map((p, k) => p - points[1][k]));
    marks += `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
    marks += `<text x="${(x1 + x2) / 2 + 8}" y="${(y1 + y2) / 2 - 8}">${figure(length)} units</text>`;
  }
  find("#ruler").innerHTML = marks;
}
