// The crop box of a field: sliders, and in the app a text that the box of its tabs shares.

import { isInApp } from "./panel.js";

const THINNEST = 0.01; // of the whole box, what may be left along an axis
const WHOLE = [0, 1, 0, 1, 0, 1]; // from and to along x, y and z
const DIGITS = 6;

const row = (axis) =>
  `<label>${axis} ${["from", "to"]
    .map((end, i) => `<input type="range" min="0" max="1" step="0.005" value="${i}" aria-label="${axis} ${end}">`)
    .join("")}</label>`;

export const CROP_CONTROLS = `<details id="crop"><summary>Crop</summary>${["x", "y", "z"].map(row).join("")}
<button id="whole">Show all</button></details>`;

/** The six numbers of a text x0 y0 z0 x1 y1 z1; null where it is none, or of no box. */
export function numbersOf(text) {
  const numbers = text.trim().split(/[\s,]+/).map(Number);
  const isBox = numbers.length === 6 && numbers.every(Number.isFinite) && [0, 1, 2].every((k) => numbers[k] < numbers[k + 3]);
  return isBox ? numbers : null;
}

/**
 * Starts the controls of a box within `whole`, which is {low, high} in the user's frame. `moved()` is
 * called while it moves, `changed()` when it is another; gives {within, isWhole, set}.
 */
export function startCrop({ root, whole, moved, changed, say }) {
  const inputs = [...root.querySelectorAll("input")];
  let [kept, text] = [[...WHOLE], ""];

  const isWhole = () => kept.every((x, i) => x === WHOLE[i]);
  const within = ({ low, high }) => {
    const [from, to] = [0, 1].map((end) => low.map((a, k) => a + kept[2 * k + end] * (high[k] - a)));
    return { low: from, high: to };
  };
  const show = () => inputs.forEach((input, i) => (input.value = kept[i]));
  const textNow = () => {
    if (isWhole()) return "";
    const { low, high } = within(whole);
    return [...low, ...high].map((x) => Number(x.toPrecision(DIGITS))).join(" ");
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
    /** The part of a box that is kept: of `whole`, or of the same in the field's frame. */
    within,
    isWhole,
    /** Takes the box of a text of the user's frame; all of it where the text is empty. */
    set(given) {
      const { low, high } = whole;
      const numbers = given.trim() ? numbersOf(given) : [...low, ...high];
      if (given === text || !numbers) return;
      const unit = (i) => (numbers[(i >> 1) + 3 * (i % 2)] - low[i >> 1]) / (high[i >> 1] - low[i >> 1]);
      const asked = WHOLE.map((_, i) => Math.min(Math.max(unit(i), 0), 1));
      if ([0, 2, 4].some((i) => asked[i] >= asked[i + 1])) return say("The crop box is outside of what is shown.");
      [kept, text] = [asked, given];
      root.open ||= given.trim() !== "";
      show();
      changed();
    },
  };
}
