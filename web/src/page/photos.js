// The photos of a scene: pyramids where they were taken, small pictures of them to choose, and the
// photo of the camera whose view is on show over its render.

import { find, isPressed, press } from "./panel.js";
import { plus, projected } from "./pose.js";

export const PHOTO_CONTROLS = '<button id="cameras" aria-pressed="false">Cameras</button>';

const REACH = 0.07; // of a pyramid, in the spread of the cameras (fieldlr/data/diagnosis.py)
const WIDEST = 2; // half of its base, in its height
const NEAREST = 4; // heights from the eye: nearer ones would hide the view
const CORNERS = [[0, 1], [1, 1], [1, 0], [0, 0]]; // of a photo: from the left, from below

/**
 * Starts the photos of `cameras`, the `views` of a PoseCamera. `jump(index)` shows the view of one;
 * gives {update, clicked, end}: `update(pose, isUnmoved)` is for every view that is drawn.
 */
export function startPhotos({ canvas, camera, cameras, titles, jump, changed }) {
  const [strip, photo, svg] = ["#photos", "#photo", "#ruler"].map(find);
  const toggle = find("#cameras");
  toggle.hidden = !cameras.length;
  const reach = reachOf(camera);
  const pyramids = camera.views.map((view) => pyramidOf(view, reach));
  let [drawn, places, over] = [[], [], null]; // elements, where they are, the camera whose photo is loaded

  const slider = Object.assign(document.createElement("input"), {
    type: "range", min: 0, max: 100, value: 50, ariaLabel: "Share of the photo shown over the render",
  });
  const cut = () => (photo.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`);
  slider.oninput = cut;
  const compare = document.createElement("label");
  compare.append("photo", slider, "render");

  const build = () => {
    const buttons = cameras.map((one, i) => {
      const button = document.createElement("button");
      if (one.small) button.append(Object.assign(new Image(), { src: one.small, alt: "", loading: "lazy" }));
      button.append(titles[i]);
      button.classList.toggle("held-out", !!one.heldOut);
      button.onclick = () => jump(i);
      return button;
    });
    const row = document.createElement("div");
    row.append(...buttons);
    strip.replaceChildren(compare, row);
    drawn = cameras.map(({ small, heldOut }) => {
      const group = make("g", { class: heldOut ? "camera held-out" : "camera" });
      if (small) group.append(make("image", { href: small, width: 1, height: 1, preserveAspectRatio: "none" }));
      group.append(make("path", {}));
      return group;
    });
    svg.append(...drawn);
  };
  const clear = () => {
    drawn.forEach((group) => group.remove());
    [drawn, places] = [[], []];
    strip.replaceChildren();
    strip.hidden = photo.hidden = true;
    canvas.style.cursor = "";
  };

  /** Lays the photo of the camera over its render, where that is on show. */
  const lay = (isUnmoved) => {
    const { index, margins } = camera;
    const { large, small } = cameras[index];
    compare.hidden = !isUnmoved || !small;
    if (!compare.hidden && over !== index) {
      over = index;
      photo.hidden = true;
      Object.assign(photo, { src: large ?? small, alt: titles[index], onload: changed });
    }
    photo.hidden = compare.hidden || !photo.complete || !photo.naturalWidth;
    const [width, height] = [canvas.clientWidth / margins[0], canvas.clientHeight / margins[1]];
    const [left, top] = [(canvas.clientWidth - width) / 2, (canvas.clientHeight - height) / 2];
    for (const [name, value] of Object.entries({ left, top, width, height })) photo.style[name] = `${value}px`;
    cut();
  };

  const update = (pose, isUnmoved) => {
    if (!drawn.length) return;
    places = pyramids.map((points) => placed(points, pose, NEAREST * reach, canvas));
    drawn.forEach((group, i) => draw(group, places[i]));
    [...strip.lastChild.children].forEach((button, i) => {
      const isShown = isUnmoved && i === camera.index;
      if (isShown && !button.ariaCurrent) button.scrollIntoView({ block: "nearest", inline: "nearest" });
      button.ariaCurrent = isShown ? "true" : null;
    });
    lay(isUnmoved);
  };

  /** The camera whose photo is drawn at a place of the canvas, the nearest of several. */
  const at = ({ offsetX, offsetY }) => {
    const hit = places.map((place, i) => ({ i, place })).filter(({ place }) => place && holds(place.base, [offsetX, offsetY]));
    return hit.sort((a, b) => a.place.depth - b.place.depth)[0]?.i;
  };
  const hover = (event) => {
    if (drawn.length && !event.buttons) canvas.style.cursor = at(event) === undefined ? "" : "pointer";
  };
  canvas.addEventListener("pointermove", hover);
  toggle.onclick = () =>
    press(toggle, (isOn) => {
      if (isOn) build();
      else clear();
      strip.hidden = !isOn;
      changed();
    });
  return {
    update,
    clicked(event) {
      const index = at(event);
      if (index !== undefined) jump(index);
    },
    end: clear,
  };
}

function make(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** The height of the pyramids. */
function reachOf({ views, focus }) {
  const middle = [0, 1, 2].map((k) => views.reduce((sum, { eye }) => sum + eye[k], 0) / views.length);
  const away = (from) => views.map(({ eye }) => Math.hypot(...plus(eye, from, -1))).sort((a, b) => a - b);
  return REACH * Math.max(away(middle).at(-1), 0.5 * away(focus)[views.length >> 1]);
}

/** The apex and the corners of the base of a view, which is its photo. */
function pyramidOf({ eye, right, up, back, lens }, reach) {
  const aside = (k, end) => Math.max(-WIDEST, Math.min(WIDEST, (end - lens[2 + k]) / lens[k])) * reach;
  const base = CORNERS.map(([u, v]) => plus(plus(plus(eye, back, -reach), right, aside(0, u)), up, aside(1, v)));
  return [eye, ...base];
}

/** {apex, base, depth} of a pyramid in pixels; null where it is too near, or behind. */
function placed(points, pose, nearest, canvas) {
  const at = points.map((point) => projected(point, pose, canvas));
  if (at.some(({ depth }) => depth < nearest)) return null;
  const [apex, ...base] = at.map(({ place }) => place);
  return { apex, base, depth: at[0].depth };
}

function draw(group, at) {
  group.style.display = at ? "" : "none";
  if (!at) return;
  const { apex, base } = at;
  const path = base.map((corner, i) => `M${apex}L${corner}L${base[(i + 1) % 4]}`).join("");
  group.lastChild.setAttribute("d", path);
  // The base is so small that its perspective does not show.
  const [origin, across, , down] = base;
  const matrix = [...plus(across, origin, -1), ...plus(down, origin, -1), ...origin];
  if (group.children.length > 1) group.firstChild.setAttribute("transform", `matrix(${matrix})`);
}

/** Whether a point lies in a convex quadrilateral. */
function holds(corners, [x, y]) {
  const sides = corners.map(([ax, ay], i) => {
    const [bx, by] = corners[(i + 1) % 4];
    return Math.sign((bx - ax) * (y - ay) - (by - ay) * (x - ax));
  });
  return sides.every((side) => side === sides[0]);
}
