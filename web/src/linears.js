// Backbones: what a linear layer stores for its weight W (outputs x inputs), and W from that.
//
// `shapes` are [rows, columns] of the stored tensors, the axes before the last as one; where units
// are sorted, the first one's first column is their key. `units` says whether output and input
// units may change places. `factors` are matrices {rows, columns, data} whose product, applied
// from the last to the first, is W.

import { Registry } from "./registry.js";
import { balancedMap, places, signs, STREAMS, uniform } from "./seeded.js";

const fround = Math.fround;
const MOST_BLOCKS = 16;

/** The standard deviation of W in an untrained dense layer. */
const defaultStd = (inputs) => 1 / Math.sqrt(3 * inputs);

const FREE = { outputs: true, inputs: true };
const FIXED = { outputs: false, inputs: false };
const FIXED_INPUTS = { outputs: true, inputs: false };

const dense = (inputs, outputs) => ({
  isDense: true,
  units: FREE,
  shapes: [[outputs, inputs]],
  factors: ([data]) => [{ rows: outputs, columns: inputs, data }],
});

const count = (shapes) => shapes.reduce((sum, [rows, columns]) => sum + rows * columns, 0);

/**
 * An entry whose layers store a few tensors, or W itself where those would be as large:
 * `shapes(options, inputs, outputs)`, and `factors(tensors, options, inputs, outputs, std)`.
 */
function structured({ units = FREE, shapes, factors, ...entry }) {
  return {
    complaint: ({ rank, blocks = 1, density = 1 }) =>
      (rank < 1 && "its rank is 0") ||
      (!(density > 0 && density <= 1) && "its density is not above 0 and up to 1") ||
      ((blocks < 1 || blocks > MOST_BLOCKS) && `its number of blocks is not from 1 to ${MOST_BLOCKS}`),
    numWeights: (options, inputs, outputs) =>
      Math.min(count(shapes(options, inputs, outputs)), inputs * outputs),
    build(options, inputs, outputs, std) {
      const own = shapes(options, inputs, outputs);
      if (count(own) >= inputs * outputs) return dense(inputs, outputs);
      const matrices = (tensors) => factors(tensors, options, inputs, outputs, std);
      return { isDense: false, units, shapes: own, factors: matrices };
    },
    ...entry,
  };
}

/** W from a function of its row and column. */
function entries(rows, columns, value) {
  const data = new Float32Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) data[at++] = value(row, column);
  }
  return { rows, columns, data };
}

const RANK = ["rank", "whole"];
const BLOCKS = ["blocks", "whole"];
const thin = ({ rank }, inputs, outputs) => [[outputs, rank], [inputs, rank]];
const fourThin = (...sizes) => [...thin(...sizes), ...thin(...sizes)];

/** The product of row i of u and row j of v, both of `rank` columns. */
function product(u, v, rank, i, j) {
  let sum = 0;
  for (let k = 0, a = i * rank, b = j * rank; k < rank; k++) sum += u[a + k] * v[b + k];
  return sum;
}

/** The distance of point i of q from point j of p. */
function distance(q, p, rank, i, j) {
  let sum = 0;
  for (let k = 0, a = i * rank, b = j * rank; k < rank; k++) sum += (q[a + k] - p[b + k]) ** 2;
  return Math.sqrt(sum);
}

/** Two nearly equal numbers, whose product is the least from `units` up. */
function twoEdges(units) {
  const first = Math.ceil(Math.sqrt(units));
  return [first, Math.ceil(units / first)];
}

export const LINEARS = new Registry(
  "backbone",
  {
    name: "full",
    number: 0,
    options: [],
    isDense: true,
    numWeights: (options, inputs, outputs) => inputs * outputs,
    build: (options, inputs, outputs) => dense(inputs, outputs),
  },
  structured({
    name: "low-rank",
    number: 1,
    options: [RANK],
    shapes: thin,
    factors: ([u, v], { rank }, inputs, outputs) => [
      { rows: outputs, columns: rank, data: u },
      { rows: rank, columns: inputs, data: transposed(v, inputs, rank) },
    ],
  }),
  structured({
    name: "sine-low-rank",
    number: 2,
    options: [RANK, ["omega", "decimal"]],
    shapes: thin,
    factors: ([u, v], ...sizes) => [sineOfProduct(u, v, ...sizes)],
  }),
  structured({
    name: "hadamard",
    number: 3,
    options: [RANK],
    shapes: fourThin,
    factors: ([u1, v1, u2, v2], { rank }, inputs, outputs) => [
      entries(outputs, inputs, (i, j) => product(u1, v1, rank, i, j) * product(u2, v2, rank, i, j)),
    ],
  }),
  structured({
    name: "kronecker",
    number: 4,
    options: [RANK],
    units: FIXED,
    shapes({ rank }, inputs, outputs) {
      const [[out1, out2], [in1, in2]] = [twoEdges(outputs), twoEdges(inputs)];
      return [[rank * out1, in1], [rank * out2, in2]];
    },
    factors([a, b], { rank }, inputs, outputs) {
      const [[out1, out2], [in1, in2]] = [twoEdges(outputs), twoEdges(inputs)];
      const value = (i, j) => {
        const [i1, j1] = [Math.floor(i / out2), Math.floor(j / in2)];
        let sum = 0;
        for (let k = 0; k < rank; k++) {
          sum += a[(k * out1 + i1) * in1 + j1] * b[(k * out2 + (i % out2)) * in2 + (j % in2)];
        }
        return sum;
      };
      return [entries(outputs, inputs, value)];
    },
  }),
  structured({
    name: "monarch",
    number: 5,
    options: [RANK, BLOCKS],
    units: FIXED,
    shapes: ({ rank, blocks }, inputs, outputs) => thin({ rank: rank * blocks }, inputs, outputs),
    factors([u, v], { rank, blocks }, inputs, outputs) {
      // Row i * blocks + q of u has what output i takes from block q of the inputs.
      const value = (i, j) =>
        product(u, v, rank, i * blocks + Math.floor((j * blocks) / inputs), j * blocks + (i % blocks));
      return [entries(outputs, inputs, value)];
    },
  }),
  structured({
    name: "blast",
    number: 6,
    options: [RANK, BLOCKS],
    units: FIXED,
    shapes({ rank, blocks }, inputs, outputs) {
      const coupling = Math.min(blocks, outputs) * Math.min(blocks, inputs);
      return [[outputs, rank], [coupling, rank], [inputs, rank]];
    },
    factors([u, s, v], { rank, blocks }, inputs, outputs) {
      const [rows, columns] = [Math.min(blocks, outputs), Math.min(blocks, inputs)];
      const value = (i, j) => {
        const [p, q] = [Math.floor((i * rows) / outputs), Math.floor((j * columns) / inputs)];
        let sum = 0;
        for (let k = 0, at = (p * columns + q) * rank; k < rank; k++) {
          sum += u[i * rank + k] * s[at + k] * v[j * rank + k];
        }
        return sum;
      };
      return [entries(outputs, inputs, value)];
    },
  }),
  structured({
    name: "kernel-low-rank",
    number: 7,
    options: [RANK],
    shapes: fourThin,
    factors: ([q1, p1, q2, p2], { rank }, inputs, outputs) => [
      entries(outputs, inputs, (i, j) => distance(q1, p1, rank, i, j) - distance(q2, p2, rank, i, j)),
    ],
  }),
  structured({
    name: "sparse-low-rank",
    number: 8,
    options: [RANK, ["density", "decimal"]],
    units: FIXED,
    shapes({ rank, density }, inputs, outputs) {
      const values = Math.max(1, Math.floor(density * outputs * inputs));
      return [...thin({ rank }, inputs, outputs), [values, 1]];
    },
    factors([u, v, values], { rank }, inputs, outputs) {
      const matrix = entries(outputs, inputs, (i, j) => product(u, v, rank, i, j));
      places(STREAMS.support, inputs * outputs, values.length).forEach((at, i) => {
        matrix.data[at] += values[i];
      });
      return [matrix];
    },
  }),
  structured({
    name: "seeded-low-rank",
    number: 9,
    options: [RANK],
    units: FIXED_INPUTS,
    shapes: ({ rank }, inputs, outputs) => [[outputs, rank]],
    factors([u], { rank }, inputs, outputs) {
      const v = uniform(STREAMS.factor, inputs * rank);
      return [entries(outputs, inputs, (i, j) => product(u, v, rank, i, j))];
    },
  }),
  structured({
    name: "seeded-sine-low-rank",
    number: 10,
    options: [RANK, ["omega", "decimal"]],
    units: FIXED_INPUTS,
    shapes: ({ rank }, inputs, outputs) => [[outputs, rank]],
    factors([u], { rank, omega }, inputs, outputs, std) {
      const v = uniform(STREAMS.factor, inputs * rank, defaultStd(inputs));
      return [sineOfProduct(u, v, { rank, omega }, inputs, outputs, std)];
    },
  }),
  structured({
    name: "seeded-frame",
    number: 11,
    options: [RANK],
    units: FIXED,
    shapes: ({ rank }, inputs, outputs) => [[rank, 1], [outputs, 1]],
    factors([d, b], { rank }, inputs, outputs) {
      const read = uniform(STREAMS.frameIn, inputs * rank);
      const scaled = uniform(STREAMS.frameOut, outputs * rank).map((value, i) => value * d[i % rank]);
      return [entries(outputs, inputs, (i, j) => b[i] * product(scaled, read, rank, i, j))];
    },
  }),
  structured({
    name: "hashed",
    number: 12,
    options: [RANK],
    units: FIXED,
    shapes: ({ rank }, inputs, outputs) => [[rank * (inputs + outputs), 1]],
    factors([values], options, inputs, outputs) {
      const shared = balancedMap(STREAMS.map, inputs * outputs, values.length);
      const data = Float32Array.from(signs(STREAMS.signs, inputs * outputs), (sign, i) => sign * values[shared[i]]);
      return [{ rows: outputs, columns: inputs, data }];
    },
  }),
);

function transposed(data, rows, columns) {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c];
  }
  return out;
}

/** W = sin(U (omega V)^T) / gain. Phases reach hundreds of radians: rounded to float32 as torch. */
function sineOfProduct(u, v, { rank, omega }, inputs, outputs, std) {
  // Below 0 it is minus a spread of the phase in radians; 0 is the spread of the first files.
  const spread = -omega || 1 + 7 / rank;
  const frequency = fround(omega > 0 ? omega : 3 * Math.sqrt(inputs) * spread);
  const gain = fround(1 / (Math.sqrt(3) * (std || defaultStd(inputs))));
  const scaled = v.map((value) => value * frequency);
  return entries(
    outputs,
    inputs,
    (i, j) => fround(Math.sin(fround(product(u, scaled, rank, i, j)))) / gain,
  );
}
