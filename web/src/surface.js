// The surface of a field, coarse to fine, in sparse blocks: fieldlr/surface in JavaScript.
//
// Levels of strides 2^k: the coarse ones are read everywhere, the finer ones only around the cells
// that the surface crosses, and along it where it leaves them. A node that was not read has the
// sign of its lower neighbour one level up.

import { march } from "./marching.js";

const DENSE_SAMPLES = 64; // along the longest edge: what may be missed is thinner than that
const PREVIEW_SAMPLES = 32; // the level with which the first mesh comes
const MAX_RESOLUTION = 4096;
const [SMALLEST, LARGEST] = [1e-9, 1e3];

/** Numbers at whole coordinates, in blocks of 8^3 that exist where one is written. */
class Blocks {
  constructor(shape, Kind, blank) {
    this.shape = shape;
    this.counts = shape.map((n) => (n + 7) >> 3);
    this.pages = new Map();
    Object.assign(this, { Kind, blank });
  }

  get(x, y, z) {
    const [nx, ny] = this.counts;
    const page = this.pages.get((x >> 3) + nx * ((y >> 3) + ny * (z >> 3)));
    return page ? page[(x & 7) | ((y & 7) << 3) | ((z & 7) << 6)] : this.blank;
  }

  set(x, y, z, value) {
    const [nx, ny] = this.counts;
    const block = (x >> 3) + nx * ((y >> 3) + ny * (z >> 3));
    let page = this.pages.get(block);
    if (!page) this.pages.set(block, (page = new this.Kind(512).fill(this.blank)));
    page[(x & 7) | ((y & 7) << 3) | ((z & 7) << 6)] = value;
  }
}

export class Surface {
  /**
   * `evaluate(points)` gives (or promises) the levels at points of a Float32Array; `box` is
   * {low, high}; `resolution` samples lie along its longest edge.
   */
  constructor(evaluate, { low, high }, resolution) {
    if (!(resolution >= 2 && resolution <= MAX_RESOLUTION)) {
      throw new Error(`a surface needs 2 to ${MAX_RESOLUTION} samples along an edge; got ${resolution}.`);
    }
    this.evaluate = evaluate;
    this.evaluations = 0;
    const edges = high.map((b, k) => b - low[k]);
    this.spacing = Math.max(...edges) / (resolution - 1);
    this.counts = edges.map((edge) => Math.floor(edge / this.spacing + 1e-6) + 1);
    this.first = low.map((a, k) => (a + high[k] - this.spacing * (this.counts[k] - 1)) / 2);
    const longest = Math.max(...this.counts);
    let stride = 1;
    while (Math.floor(longest / (2 * stride)) >= PREVIEW_SAMPLES) stride *= 2;
    const cells = this.counts.map((n) => Math.ceil((n + 1) / stride) * stride);
    this.levels = [];
    for (; stride >= 1; stride /= 2) {
      const shape = cells.map((n) => n / stride + 1);
      const isDense = !this.levels.length || Math.floor(longest / stride) < 2 * DENSE_SAMPLES;
      this.levels.push({ stride, shape, isDense, nodes: new Blocks(shape, Float32Array, NaN) });
    }
  }

  /** Yields meshes {vertices, faces, stride}, each finer than the one before, at a level. */
  async *meshes(offset = 0) {
    this.offset = offset;
    let crossing = null;
    for (let index = 0; index < this.levels.length; index++) {
      const level = this.levels[index];
      crossing = await (level.isDense ? this.readAll(index) : this.refine(index, crossing));
      yield this.mesh(index, crossing);
    }
  }

  /** The value at a node of a level, or that of its lower neighbour where it was not read. */
  raw(index, x, y, z) {
    const value = this.levels[index].nodes.get(x, y, z);
    return value === value || !index ? value : this.raw(index - 1, x >> 1, y >> 1, z >> 1);
  }

  isInside(index, x, y, z) {
    return this.raw(index, x, y, z) > this.offset;
  }

  crosses(index, x, y, z) {
    const inside = this.isInside(index, x, y, z);
    for (let c = 1; c < 8; c++) {
      if (this.isInside(index, x + (c & 1), y + ((c >> 1) & 1), z + (c >> 2)) !== inside) return true;
    }
    return false;
  }

  async readAll(index) {
    const [nx, ny, nz] = this.levels[index].shape;
    const nodes = [];
    for (let z = 0; z < nz; z++) {
      for (let y = 0; y < ny; y++) for (let x = 0; x < nx; x++) nodes.push(x, y, z);
    }
    await this.read(index, nodes);
    const crossing = [];
    for (let z = 0; z < nz - 1; z++) {
      for (let y = 0; y < ny - 1; y++) {
        for (let x = 0; x < nx - 1; x++) if (this.crosses(index, x, y, z)) crossing.push(x, y, z);
      }
    }
    return crossing;
  }

  /** Reads around the cells that cross one level up; the cells that cross at this one. */
  async refine(index, coarse) {
    const { shape } = this.levels[index];
    const visited = new Blocks(shape, Uint8Array, 0);
    const touched = new Blocks(shape, Uint8Array, 0);
    const crossing = [];
    const visit = (cells, x, y, z) => {
      if (Math.min(x, y, z) < 0 || x > shape[0] - 2 || y > shape[1] - 2 || z > shape[2] - 2) return;
      if (visited.get(x, y, z)) return;
      visited.set(x, y, z, 1);
      cells.push(x, y, z);
    };
    let cells = [];
    for (let i = 0; i < coarse.length; i += 3) {
      for (let k = 0; k < 64; k++) {
        const at = [k & 3, (k >> 2) & 3, k >> 4].map((d, axis) => 2 * coarse[i + axis] + d - 1);
        visit(cells, ...at);
      }
    }
    while (cells.length) {
      const nodes = [];
      for (let i = 0; i < cells.length; i += 3) {
        for (let c = 0; c < 8; c++) {
          const [x, y, z] = [cells[i] + (c & 1), cells[i + 1] + ((c >> 1) & 1), cells[i + 2] + (c >> 2)];
          if (touched.get(x, y, z)) continue;
          touched.set(x, y, z, 1);
          nodes.push(x, y, z);
        }
      }
      await this.read(index, nodes);
      for (let i = 0; i < cells.length; i += 3) {
        const [x, y, z] = [cells[i], cells[i + 1], cells[i + 2]];
        if (this.crosses(index, x, y, z)) crossing.push(x, y, z);
      }
      // Where the surface leaves the cells that were read, it is followed.
      cells = [];
      for (let i = 0; i < nodes.length; i += 3) {
        for (let c = 0; c < 8; c++) {
          const [x, y, z] = [nodes[i] - (c & 1), nodes[i + 1] - ((c >> 1) & 1), nodes[i + 2] - (c >> 2)];
          if (Math.min(x, y, z) < 0 || x > shape[0] - 2 || y > shape[1] - 2 || z > shape[2] - 2) continue;
          if (!visited.get(x, y, z) && this.crosses(index, x, y, z)) visit(cells, x, y, z);
        }
      }
    }
    return crossing;
  }

  /** Reads the nodes (x, y, z one after the other) of a level that are not yet known. */
  async read(index, nodes) {
    const { stride, nodes: known } = this.levels[index];
    const above = index ? this.levels[index - 1].nodes : null;
    const wanted = [];
    for (let i = 0; i < nodes.length; i += 3) {
      const [x, y, z] = [nodes[i], nodes[i + 1], nodes[i + 2]];
      const old = known.get(x, y, z);
      if (old === old) continue;
      const [fx, fy, fz] = [x * stride, y * stride, z * stride];
      const [nx, ny, nz] = this.counts;
      const coarse = above && !((x | y | z) & 1) ? above.get(x >> 1, y >> 1, z >> 1) : NaN;
      if (coarse === coarse) known.set(x, y, z, coarse);
      else if (fx < 1 || fy < 1 || fz < 1 || fx > nx || fy > ny || fz > nz) {
        known.set(x, y, z, -Infinity); // beside the box there is nothing
      } else wanted.push(x, y, z);
    }
    const { first, spacing } = this;
    const points = Float32Array.from(wanted, (n, i) => first[i % 3] + spacing * (n * stride - 1));
    const values = wanted.length ? await this.evaluate(points) : [];
    this.evaluations += values.length;
    for (let i = 0; i < values.length; i++) {
      if (values[i] !== values[i]) throw new Error("the field has no surface: some of its values are NaN.");
      known.set(wanted[3 * i], wanted[3 * i + 1], wanted[3 * i + 2], values[i]);
    }
  }

  /** The mesh of the cells that cross, in the field's frame. */
  mesh(index, crossing) {
    const { stride } = this.levels[index];
    const { vertices, faces } = march(crossing, (x, y, z) => {
      const value = Math.fround(this.raw(index, x, y, z) - this.offset);
      const size = Math.min(Math.max(Math.abs(value), SMALLEST), LARGEST);
      return value > 0 ? size : -size;
    });
    // The layer of nothing lies beside the box: its vertices come back to the face of the box.
    const { counts, first, spacing } = this;
    const places = Float32Array.from(vertices, (n, i) => {
      const node = Math.min(Math.max(n * stride, 1), counts[i % 3]);
      return first[i % 3] + spacing * (node - 1);
    });
    return { vertices: places, faces, stride };
  }
}

/** The area of a mesh, and the volume that it encloses. */
export function measured({ vertices, faces }) {
  let [area, volume] = [0, 0];
  for (let i = 0; i < faces.length; i += 3) {
    const [a, b, c] = [3 * faces[i], 3 * faces[i + 1], 3 * faces[i + 2]];
    const [ax, ay, az] = [vertices[a], vertices[a + 1], vertices[a + 2]];
    const [ux, uy, uz] = [vertices[b] - ax, vertices[b + 1] - ay, vertices[b + 2] - az];
    const [vx, vy, vz] = [vertices[c] - ax, vertices[c + 1] - ay, vertices[c + 2] - az];
    const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    area += Math.hypot(x, y, z) / 2;
    volume += (ax * x + ay * y + az * z) / 6;
  }
  return { area, volume };
}
