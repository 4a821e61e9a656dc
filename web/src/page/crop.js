// The crop box of a shape: sliders, and in the app a text that the box of its tabs shares.

import { toUser } from "../spaces.js";
import { isInApp } from "./panel.js";

const THINNEST = 0.01; // of the whole box, what may be left along an axis
const WHOLE = [0, 1, 0, 1, 0, 1]; // from and to along x, y and z
const DIGITS = 6;

const row = (axis) =>
  `<label>${axis} ${["from", "to"]
    .map((end, i) => `<input type="range" min="0" max="1" step="0.005" value="${i}" aria-label="${axis} ${end}">`)
    .join("")}</label>`;

export const CROP_CONTROLS = `<details id="crop"><summary>Crop</summary>${["x", "y", "z"].map(row).join("")}
<button id="whole">Whole shape</button></details>`;

/** The six numbers of a text x0 y0 z0 x1 y1 z1; null where it is none, or of no box. */
export function numbersOf(text) {
  const numbers = text.trim().split(/[\s,]+/).map(Number);
  const isBox = numbers.length === 6 && numbers.every(Number.isFinite) && [0, 1, 2].every((k) => numbers[k] < numbers[k + 3]);
  return isBox ? numbers : null;
}

/**
 * Starts the controls of a box of `space`, a box of the field whose `frame` leads to the user's.
 * `moved()` is called while it moves, `changed()` when it is another; gives {box, set}.
 */
export function startCrop({ root, space, frame, moved, changed, say }) {
  const inputs = [...root.querySelectorAll("input")];
  const { low, high } = space;
  const corner = (point) => [...toUser(Float64Array.from(point), frame)];
  const ends = [corner(low), corner(high)]; // of the whole box, in the user's frame
  let [kept, text] = [[...WHOLE], ""];

  const along = (k, end, [from, to]) => from[k] + kept[2 * k + end] * (to[k] - from[k]);
  const box = () => ({ low: [0, 1, 2].map((k) => along(k, 0, [low, high])), high: [0, 1, 2].map((k) => along(k, 1, [low, high])) });
  const show = () => inputs.forEach((input, i) => (input.value = kept[i]));
  const textNow = () => {
    if (kept.every((x, i) => x === WHOLE[i])) return "";
    return [0, 1].flatMap((end) => [0, 1, 2].map((k) => Number(along(k, end, ends).toPrecision(DIGITS)))).join(" ");
  };
  const finish = () => {
    text = textNow();
    if (isInApp()) parent.postMessage({ crop: text }, location.origin);
    changed();
  };
  inputs.forEach((input, i) => {
    // What is nearer than the thinnest pushes the other end along.
    input.oninput = () => {
      kept[i] = i % 2 ? Math.max(Number(input.value), THINNEST) : Math.min(Number(input.value), 1 - THINNEST);
      kept[i ^ 1] = i % 2 ? Math.min(kept[i ^ 1], kept[i] - THINNEST) : Math.max(kept[i ^ 1], kept[i] + THINNEST);
      show();
      moved();
    };
    input.onchange = finish;
  });
  root.ontoggle = moved;
  root.querySelector("#whole").onclick = () => {
    kept = [...WHOLE];
    show();
    finish();
  };
  return {
    box,
    /** Takes the box of a text of the user's frame; all of it where the text is empty. */
    set(given) {
      const numbers = given.trim() ? numbersOf(given) : [...ends[0], ...ends[1]];
      if (given === text || !numbers) return;
      const unit = (i) => (numbers[(i >> 1) + 3 * (i % 2)] - ends[0][i >> 1]) / (ends[1][i >> 1] - ends[0][i >> 1]);
      const asked = WHOLE.map((_, i) => Math.min(Math.max(unit(i), 0), 1));
      if ([0, 2, 4].some((i) => asked[i] >= asked[i + 1])) return say("The crop box is outside of the shape.");
      [kept, text] = [asked, given];
      root.open ||= given.trim() !== "";
      show();
      changed();
    },
  };
}
