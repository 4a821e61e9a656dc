// Probability models: whole parts of 2^24 for every symbol, by a law or from a written table.
//
// All of it is whole-number arithmetic; every product stays below 2^53, and those of written
// tables, which do not, are made with BigInt.

export const TOTAL_BITS = 24;
export const TOTAL = 2 ** TOTAL_BITS;
export const UNIFORM = 224;
export const WRITTEN = 225;
const SCALES = 32;
const QUARTER_OCTAVES = [64, 76, 91, 108];
const ONE = 1 << 16;
const MOST = 24 * ONE;

/** floor(a / 2^16). */
const shifted = (a) => Math.floor(a / ONE);

/** floor(sqrt(2^16 x)). */
function root(x) {
  const square = x * ONE;
  let r = Math.floor(Math.sqrt(square));
  while (r * r > square) r--;
  while ((r + 1) * (r + 1) <= square) r++;
  return r;
}

/** x to the power number 0 to 6: 1/2, 1, 3/2, 2, 3, 4, 6, in units of 2^-16. */
function raised(x, power) {
  if (power === 0) return root(x);
  x = Math.min(x, MOST);
  const square = Math.min(shifted(x * x), MOST);
  const cube = Math.min(shifted(square * x), MOST);
  if (power === 2) return shifted(x * root(x));
  return [0, x, 0, square, cube, shifted(square * square), shifted(cube * cube)][power];
}

function lawWeight(law, distance, farthest) {
  if (law === UNIFORM) return 1;
  const scale = law % SCALES;
  const scaled = distance * QUARTER_OCTAVES[scale % 4] * 2 ** ((scale >> 2) + 9);
  const exponent = Math.min(raised(Math.floor(scaled / farthest), Math.floor(law / SCALES)), MOST);
  return ((2 * ONE - (exponent % ONE)) << 8) >> (exponent >> 16);
}

/** Parts of TOTAL (an Int32Array) of symbols at these distances from the middle. */
export function lawParts(law, distances) {
  const farthest = Math.max(1, ...distances);
  const weights = distances.map((distance) => lawWeight(law, distance, farthest));
  const sum = weights.reduce((a, b) => a + b, 0);
  const free = TOTAL - weights.length;
  return completed(weights, weights.map((w) => 1 + Math.floor((w * free) / sum)));
}

/** Parts of TOTAL from the bytes of a written table. */
export function writtenParts(bytes) {
  const weights = Array.from(bytes, (b) => (b ? (8 + (b % 8)) * 2 ** (b >> 3) : 0));
  const sum = BigInt(weights.reduce((a, b) => a + b, 0));
  const free = BigInt(TOTAL - weights.length);
  return completed(weights, weights.map((w) => 1 + Number((BigInt(w) * free) / sum)));
}

/** The first of the heaviest symbols gets what is left. */
function completed(weights, parts) {
  parts[weights.indexOf(Math.max(...weights))] += TOTAL - parts.reduce((a, b) => a + b, 0);
  return Int32Array.from(parts);
}
