// Which of the 64^3 cells of a radiance field may hold something: all, by an octree, or by density.

import { broken } from "./bytes.js";
import { readModel, readWhole, stepOf } from "./tensors.js";

export const CELLS = 64;
const [ALL, ASKED, STORED, ASKED_AT, NEAR] = [0, 1, 2, 3, 4];
const LEVELS = 6;
const MIDDLE = 128;
const EMPTY_DENSITY = 0.01 * 0.5 * CELLS;
const MOST_ASKED = 1 << 20;

/** How the cells are kept: {octree: models} or {limit: density, widened}, or neither where all may. */
export function readWay(reader, { width, depth }) {
  const way = reader.byte();
  if (way === ALL) return {};
  if (way === STORED) return { octree: Array.from({ length: LEVELS }, () => readModel(reader, false)) };
  if (way > NEAR) throw broken("its cells are kept in an unknown way");
  if (width ** 2 * (depth + 6) > MOST_ASKED) {
    throw broken("its cells are to be computed from too large a network");
  }
  return { limit: way === ASKED ? EMPTY_DENSITY : stepOf(reader.byte()), widened: way === NEAR };
}

/** The occupied cells, a byte each, x fastest. */
export function readOctree(decoder, models) {
  let [size, occupied] = [1, Uint8Array.of(1)];
  for (const model of models) {
    const cells = [];
    occupied.forEach((full, cell) => full && cells.push(cell));
    const bytes = readWhole(decoder, model, cells.length);
    const finer = new Uint8Array(8 * occupied.length);
    cells.forEach((cell, i) => {
      const byte = bytes[i] + MIDDLE;
      if (byte < 1 || byte > 255) throw broken("its occupied cells are invalid");
      const [x, y, z] = [cell % size, Math.floor(cell / size) % size, Math.floor(cell / size ** 2)];
      for (let child = 0; child < 8; child++) {
        const [cx, cy, cz] = [2 * x + (child & 1), 2 * y + ((child >> 1) & 1), 2 * z + (child >> 2)];
        finer[cx + 2 * size * (cy + 2 * size * cz)] = (byte >> (7 - child)) & 1;
      }
    });
    [size, occupied] = [2 * size, finer];
  }
  return occupied;
}

/**
 * The occupied cells by the density in their middles: above a limit, or half of the highest. With
 * `widened` also the neighbours of these.
 */
export function askCells(density, { limit, widened }) {
  const points = new Float32Array(3 * CELLS ** 3);
  for (let cell = 0; cell < CELLS ** 3; cell++) {
    const at = [cell % CELLS, (cell >> 6) % CELLS, cell >> 12];
    for (let k = 0; k < 3; k++) points[3 * cell + k] = (at[k] + 0.5) * (2 / CELLS) - 1;
  }
  const densities = density(points);
  const above = Math.min(limit, 0.5 * densities.reduce((a, b) => Math.max(a, b), 0));
  const occupied = Uint8Array.from(densities, (value) => value > above);
  return widened ? [1, CELLS, CELLS ** 2].reduce(widenedAlong, occupied) : occupied;
}

/** The cells and those beside them along one axis. */
const widenedAlong = (occupied, stride) =>
  occupied.map((full, cell) => {
    const at = Math.floor(cell / stride) % CELLS;
    return full || (at > 0 && occupied[cell - stride]) || (at < CELLS - 1 && occupied[cell + stride]);
  });

/** The index of the cell that a point of the cube lies in. */
export function cellOf(x, y, z) {
  const index = (v) => Math.min(Math.max(Math.trunc((v + 1) * (0.5 * CELLS)), 0), CELLS - 1);
  return index(x) + CELLS * (index(y) + CELLS * index(z));
}
