// Backbones: what a linear layer stores for its weight W (outputs x inputs), and W from that.
//
// `shapes` are [rows, columns] of the stored tensors; the first one's first column is the key by
// which the units are sorted. `factors` are matrices {rows, columns, data} whose product, applied
// from the last to the first, is W.

import { Registry } from "./registry.js";

const fround = Math.fround;

/** The standard deviation of W in an untrained dense layer. */
const defaultStd = (inputs) => 1 / Math.sqrt(3 * inputs);

const dense = (inputs, outputs) => ({
  isDense: true,
  shapes: [[outputs, inputs]],
  factors: ([data]) => [{ rows: outputs, columns: inputs, data }],
});

const rankComplaint = ({ rank }) => rank < 1 && "its rank is 0";

/** Two factors, or W itself where they would store at least as much. */
function factorised(rank, inputs, outputs, factors) {
  if (rank * (inputs + outputs) >= inputs * outputs) return dense(inputs, outputs);
  return { isDense: false, shapes: [[outputs, rank], [inputs, rank]], factors };
}

const numFactorWeights = ({ rank }, inputs, outputs) =>
  Math.min(rank * (inputs + outputs), inputs * outputs);

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
  {
    name: "low-rank",
    number: 1,
    options: [["rank", "whole"]],
    complaint: rankComplaint,
    numWeights: numFactorWeights,
    build: ({ rank }, inputs, outputs) =>
      factorised(rank, inputs, outputs, ([u, v]) => [
        { rows: outputs, columns: rank, data: u },
        { rows: rank, columns: inputs, data: transposed(v, inputs, rank) },
      ]),
  },
  {
    name: "sine-low-rank",
    number: 2,
    options: [["rank", "whole"], ["omega", "decimal"]],
    complaint: rankComplaint,
    numWeights: numFactorWeights,
    build({ rank, omega }, inputs, outputs, std) {
      // Below 0 it is minus a spread of the phase in radians; 0 is the spread of the first files.
      const spread = -omega || 1 + 7 / rank;
      const frequency = omega > 0 ? omega : 3 * Math.sqrt(inputs) * spread;
      const gain = 1 / (Math.sqrt(3) * (std || defaultStd(inputs)));
      return factorised(rank, inputs, outputs, ([u, v]) => [
        sineOfProduct(u, v, rank, inputs, outputs, fround(frequency), fround(gain)),
      ]);
    },
  },
);

function transposed(data, rows, columns) {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c];
  }
  return out;
}

/** W = sin(U (omega V)^T) / gain. Phases reach hundreds of radians: rounded to float32 as torch. */
function sineOfProduct(u, v, rank, inputs, outputs, omega, gain) {
  const data = new Float32Array(outputs * inputs);
  const scaled = v.map((value) => value * omega);
  for (let row = 0, at = 0; row < outputs; row++) {
    for (let column = 0; column < inputs; column++, at++) {
      let phase = 0;
      for (let k = 0; k < rank; k++) phase += u[row * rank + k] * scaled[column * rank + k];
      data[at] = fround(Math.sin(fround(phase))) / gain;
    }
  }
  return { rows: outputs, columns: inputs, data };
}
