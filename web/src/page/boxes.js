// Boxes along the axes of a frame: their corners in the user's, and their edges on the page.

import { toUser } from "../spaces.js";

/** The eight corners of a box of the field, in the user's frame. */
export function cornersOf({ low, high, frame }) {
  const corners = Float64Array.from({ length: 24 }, (_, i) => (((i / 3) >> i % 3) & 1 ? high : low)[i % 3]);
  toUser(corners, frame);
  return Array.from({ length: 8 }, (_, i) => [...corners.subarray(3 * i, 3 * i + 3)]);
}

/** The smallest box around points. */
export const bounds = (points) => ({
  low: [0, 1, 2].map((k) => Math.min(...points.map((p) => p[k]))),
  high: [0, 1, 2].map((k) => Math.max(...points.map((p) => p[k]))),
});

/** SVG lines of the edges between corners; `place` leads to pixels, or to null where none is. */
export function edges(corners, place) {
  const at = corners.map(place);
  const pairs = at.flatMap((_, i) => [1, 2, 4].filter((bit) => !(i & bit)).map((bit) => [at[i], at[i | bit]]));
  return pairs.filter(([a, b]) => a && b).map(([a, b]) => line(a, b)).join("");
}

export const line = ([x1, y1], [x2, y2]) => `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
