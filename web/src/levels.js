// The parts of a feature table (files of version 2): each has a step and a model of its own.
//
// A part is a level of a grid, a plane or a line. Of a grid only rows that an occupied cell reads are
// coded. Nodes that are stored by their place are coded as differences from the mean of the nodes before
// them along every axis.

import { broken } from "./bytes.js";
import { CELLS } from "./cells.js";
import { rowOf } from "./encodings.js";
import { MOST_REACH, readModel, readWhole, stepOf } from "./tensors.js";

/** The step and the model of every level. */
export const readLevelModels = (reader, { levels }) =>
  levels.map(() => ({ step: stepOf(reader.byte()), model: readModel(reader, false) }));

/** The table; `occupied` has a byte per cell, or is null where every row is read. */
export function readLevels(decoder, plans, { levels, shape: [rows, channels] }, occupied) {
  const table = new Float32Array(rows * channels);
  levels.forEach((level, index) => {
    const read = rowsRead(level, occupied);
    const count = read.reduce((sum, one) => sum + one, 0) * channels;
    const { step, model } = plans[index];
    const coded = readWhole(decoder, model, count);
    const values = level.mask ? spread(read, coded, channels) : summed(level, read, coded, channels);
    for (let i = 0; i < values.length; i++) table[level.first * channels + i] = values[i] * step;
  });
  return table;
}

function rowsRead(level, occupied) {
  const { nodes, axes, first, rows } = level;
  if (!occupied || axes.length < 3) return new Uint8Array(rows).fill(1);
  const read = new Uint8Array(rows);
  const ends = Array.from({ length: CELLS }, (_, cell) =>
    [cell, cell + 1].map((edge) => Math.min(Math.floor(((nodes - 1) * edge) / CELLS), nodes - 2)),
  );
  let left = rows;
  for (let cell = 0; cell < occupied.length && left; cell++) {
    if (!occupied[cell]) continue;
    const [x, y, z] = [ends[cell % CELLS], ends[(cell >> 6) % CELLS], ends[cell >> 12]];
    for (let k = z[0]; k <= z[1] + 1; k++) {
      for (let j = y[0]; j <= y[1] + 1; j++) {
        for (let i = x[0]; i <= x[1] + 1; i++) {
          const row = rowOf(level, i, j, k) - first;
          left -= 1 - read[row];
          read[row] = 1;
        }
      }
    }
  }
  return read;
}

/** Coded rows where they are read; 0 elsewhere. */
function spread(read, coded, channels) {
  const values = new Int32Array(read.length * channels);
  for (let row = 0, next = 0; row < read.length; row++) {
    for (let c = 0; read[row] && c < channels; c++) values[row * channels + c] = coded[next++];
  }
  return values;
}

function summed({ nodes, axes }, read, coded, channels) {
  const values = new Int32Array(read.length * channels);
  const strides = axes.map((_, k) => nodes ** k);
  for (let row = 0, next = 0; row < read.length; row++) {
    if (!read[row]) continue;
    const places = strides.map((stride) => Math.floor(row / stride) % nodes);
    const before = strides.map((stride) => row - stride).filter((other, k) => places[k] && read[other]);
    for (let c = 0; c < channels; c++) {
      const sum = before.reduce((total, other) => total + values[other * channels + c], 0);
      const mean = before.length && Math.floor((2 * sum + before.length) / (2 * before.length));
      const value = coded[next++] + mean;
      if (Math.abs(value) > MOST_REACH) throw broken(`a quantised value in it is beyond ${MOST_REACH}`);
      values[row * channels + c] = value;
    }
  }
  return values;
}
