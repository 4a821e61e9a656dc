// Random numbers of the format, which no file stores (fieldlr/system/seeded.py, docs/format.md).

const GOLDEN = 0x9e3779b9;

export const STREAMS = { support: 1, factor: 2, frameIn: 3, frameOut: 4, map: 5, signs: 6, frequencies: 7 };

function mix(word) {
  let x = word ^ (word >>> 16);
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Whole numbers below 2^32, all different. */
export function words(stream, count) {
  const start = mix(stream);
  return Uint32Array.from({ length: count }, (_, i) => mix((Math.imul(GOLDEN, i) + start) | 0));
}

/** Float32 numbers of mean 0 and standard deviation `std`. */
export function uniform(stream, count, std = 1) {
  const unit = Math.fround((std * Math.sqrt(3)) / 65536);
  return Float32Array.from(words(stream, count), (word) => (2 * (word >>> 16) - 65535) * unit);
}

/** The same, nearly normal: sums of the 16-bit halves of two words. */
export function normal(stream, count, std = 1) {
  const unit = Math.fround((std * Math.sqrt(3)) / 65536);
  const word = words(stream, 2 * count);
  const halves = (i) => (word[i] >>> 16) + (word[i] & 65535);
  return Float32Array.from({ length: count }, (_, i) => (halves(2 * i) + halves(2 * i + 1) - 131070) * unit);
}

/** 1 or -1. */
export const signs = (stream, count) => Int8Array.from(words(stream, count), (word) => 1 - 2 * (word >>> 31));

/** The indices below `total` by their words. */
function inOrder(stream, total) {
  const word = words(stream, total);
  return Uint32Array.from(word.keys()).sort((a, b) => word[a] - word[b]);
}

/** `count` of the indices below `total`, ascending. */
export const places = (stream, total, count) => inOrder(stream, total).subarray(0, count).sort();

/** For each index below `total` one of `count` numbers, each as often as the others. */
export function balancedMap(stream, total, count) {
  const chosen = new Uint32Array(total);
  inOrder(stream, total).forEach((index, t) => (chosen[index] = t % count));
  return chosen;
}
