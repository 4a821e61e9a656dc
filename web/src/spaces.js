// Spaces: how points of the field's frame become the cube [-1, 1]^3 that a network sees.

/** The kinds of space: a function from a point, in place, given the space. */
const WARPS = {
  box: toUnit,
  ndc(p, { focal, near }) {
    const z = Math.min(p[2], -1e-9);
    p[0] *= -focal[0] / z;
    p[1] *= -focal[1] / z;
    p[2] = 1 + (2 * near) / z;
  },
  contracted(p, space) {
    toUnit(p, space);
    const norm = Math.max(Math.hypot(...p), 1e-9);
    const factor = 0.5 * (norm <= 1 ? 1 : (2 - 1 / norm) / norm);
    for (let k = 0; k < 3; k++) p[k] *= factor;
  },
};

/** In the steps of float32 that torch takes: a network may have high frequencies. */
function toUnit(p, { low, high }) {
  const f = Math.fround;
  for (let k = 0; k < 3; k++) {
    const [a, b] = [f(low[k]), f(high[k])];
    p[k] = f(f(p[k] - a) * f(2 / f(b - a))) - 1;
  }
}

/** Points (x, y, z one after the other) of the field's frame to the cube. */
export function toCube(points, space) {
  const out = Float32Array.from(points);
  const warp = WARPS[space.kind];
  for (let i = 0; i < out.length; i += 3) warp(out.subarray(i, i + 3), space);
  return out;
}

/** Points of the field's frame to the user's, in place. */
export function toUser(points, frame) {
  if (!frame) return points;
  const { rotation, scale, translation } = frame;
  for (let i = 0; i < points.length; i += 3) {
    const [x, y, z] = points.subarray(i, i + 3);
    for (let k = 0; k < 3; k++) {
      const [a, b, c] = rotation[k];
      points[i + k] = scale * (a * x + b * y + c * z) + translation[k];
    }
  }
  return points;
}

/** A point of the user's frame in the field's. */
export function toField(point, frame) {
  if (!frame) return point;
  const { rotation, scale, translation } = frame;
  const offset = point.map((x, k) => (x - translation[k]) / scale);
  return [0, 1, 2].map((k) => offset.reduce((sum, x, i) => sum + rotation[i][k] * x, 0));
}
