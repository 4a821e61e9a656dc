// A field from the bytes of a .flr file, and its values at points.

import { broken, crc32, Reader } from "./bytes.js";
import { Decoder } from "./ans.js";
import { askCells, CELLS, cellOf, readOctree, readWay } from "./cells.js";
import { readAbout, readHead } from "./head.js";
import { BLOCK } from "./kernels.js";
import { readLevelModels, readLevels } from "./levels.js";
import { shapeNetwork } from "./networks.js";
import { Program } from "./program.js";
import { toCube } from "./spaces.js";
import { readTensor, readTensorModels } from "./tensors.js";

const [VERSION, TABLE_VERSION] = [1, 2]; // fields with a table have their own
const CHECKSUM_BYTES = 4;
const MOST_NUMBERS = 2 ** 25;
const NUMBERS_PER_BYTE = 1024;
const MOST_BYTES = 2 ** 28;
const SMALL = 2 ** 22;
const SURFACE_DENSITY = 25;
const EMPTY_LEVEL = -4;

/** The field in the bytes of a file; an Error with a sentence where there is none. */
export function decode(bytes) {
  const reader = checked(bytes);
  const head = readHead(reader);
  const about = readAbout(reader, head.kind);
  checkSize(head.config, bytes.length);
  const isShape = head.kind !== "photos";
  const { network, encoding } = head.config;
  const networks = isShape
    ? [shapeNetwork(head.config)]
    : Array.from({ length: network.stages }, () => network.build(head.config));
  const cells = isShape ? {} : readWay(reader, head.config);
  const byLevel = bytes[3] === TABLE_VERSION;
  const readTable = ({ shape, levels }) =>
    byLevel ? readLevelModels(reader, { levels }) : readTensorModels(reader, shape);
  const plans = networks.map((own) => ({
    table: own.encoding.shape && readTable(own.encoding),
    layers: Object.values(own.stacks).flat().map((layer) => ({
      layer,
      tensors: layer.shapes.map((shape, i) =>
        readTensorModels(reader, shape, !i && layer.isSorted ? "key" : undefined),
      ),
      bias: readTensorModels(reader, [layer.outputs, 1], layer.isSorted ? "bias" : undefined),
    })),
  }));
  const decoder = new Decoder(reader.rest());
  if (cells.octree) cells.occupied = readOctree(decoder, cells.octree);
  plans.forEach(({ table, layers }, i) => {
    if (table) {
      const all = isShape ? null : cells.occupied ?? new Uint8Array(CELLS ** 3).fill(1);
      networks[i].table = byLevel
        ? readLevels(decoder, table, networks[i].encoding, all)
        : readTensor(decoder, table).data;
    }
    for (const { layer, tensors, bias } of layers) {
      const read = tensors.map((tensor) => readTensor(decoder, tensor));
      layer.tensors = read.map(({ data }) => data);
      layer.bias = readTensor(decoder, bias, read[0].firstColumn).data;
    }
  });
  decoder.close();
  return new (isShape ? Shape : Radiance)({ ...head, about, networks, cells, encoding });
}

function checked(bytes) {
  if (!"FLR".split("").every((letter, i) => bytes[i] === letter.charCodeAt(0))) {
    throw new Error("a .flr file begins with FLR; this one does not. Check the path.");
  }
  if (bytes.length > 3 && ![VERSION, TABLE_VERSION].includes(bytes[3])) {
    throw new Error(
      `this .flr file has version ${bytes[3]}, and this viewer reads ${VERSION} and ${TABLE_VERSION}. ` +
        "Create the page with a newer fieldlr.",
    );
  }
  if (bytes.length > MOST_BYTES) throw new Error("a .flr file has at most 2^28 bytes; this one has more.");
  const body = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_BYTES));
  const stored = bytes.subarray(body.length);
  const crc = crc32(body);
  if (bytes.length < 16 || !stored.every((byte, i) => byte === ((crc >>> (8 * i)) & 255))) {
    throw broken("its checksum is not that of its content");
  }
  const reader = new Reader(body);
  reader.take(4);
  return reader;
}

/** Throws where a file of so many bytes may not hold a network of this size. */
function checkSize({ network, encoding, linear, width, depth }, numBytes) {
  const limit = Math.min(MOST_NUMBERS, Math.max(SMALL, NUMBERS_PER_BYTE * numBytes));
  const table = encoding.entry.numParameters(encoding.options);
  const { features } = encoding.entry.build(encoding.options, 3);
  const wide = width + features + 64;
  const weights = linear.entry.numWeights(linear.options, wide, wide);
  const layer = Math.max(weights, 64 * wide) + wide;
  const all = table + network.stages * ((depth + 6) * layer + (features + 64) * wide);
  if (all > limit) {
    throw broken(`it speaks of ${all} parameters, and ${limit} is the most for ${numBytes} bytes`);
  }
}

/** What shapes and radiance fields share: a head, networks, and programs made when first used. */
class Field {
  constructor(parts) {
    Object.assign(this, parts);
    this.programs = {};
  }

  /** Parameters, in the order of the file. */
  get tensors() {
    return this.networks.flatMap(({ table, stacks }) => [
      ...(table ? [table] : []),
      ...Object.values(stacks).flat().flatMap((layer) => [...layer.tensors, layer.bias]),
    ]);
  }

  /** The last network evaluates; `kernels` chooses among their kinds (kernels.js). */
  program(name) {
    return (this.programs[name] ??= new Program(this.networks.at(-1).stacks[name], this.kernels));
  }

  /** Runs the trunk on points of the cube, block by block; `each(first, count, program)`. */
  inBlocks(cube, each) {
    const { encoding, table } = this.networks.at(-1);
    const trunk = this.program("trunk");
    for (let first = 0, total = cube.length / 3; first < total; first += BLOCK) {
      const count = Math.min(BLOCK, total - first);
      encoding.write(cube, first, count, trunk.input, BLOCK, table);
      trunk.run();
      each(first, count, trunk);
    }
  }
}

export class Shape extends Field {
  /** Logits of being inside at points (x, y, z one after the other), a Float32Array. */
  level(points) {
    const out = new Float32Array(points.length / 3);
    this.inBlocks(toCube(points, this.space), (first, count, trunk) => {
      out.set(trunk.output.subarray(0, count), first);
    });
    return out;
  }
}

export class Radiance extends Field {
  /** [densities, colours (r, g, b) or null] at points of the cube, seen along unit directions. */
  atCube(cube, directions) {
    const total = cube.length / 3;
    const [densities, colors] = [new Float32Array(total), directions && new Float32Array(3 * total)];
    const network = this.networks.at(-1);
    const kind = this.config.network;
    this.inBlocks(cube, (first, count, trunk) => {
      const run = (name, fill) => {
        const program = this.program(name);
        if (name !== "trunk") {
          fill(program.input, BLOCK, (rows) => rows.set(trunk.output.subarray(0, trunk.output.length)));
          program.run();
        }
        return {
          count: program.outputs,
          at: (row, p) => program.output[row * BLOCK + p],
          copy: (rows) => rows.set(program.output),
        };
      };
      const { density } = kind.density(run);
      for (let p = 0; p < count; p++) densities[first + p] = density(p);
      if (!directions) return;
      const color = kind.color(
        run,
        (write, rows) => write(directions, first, count, rows, BLOCK),
        network,
      );
      for (let p = 0; p < count; p++) {
        for (let k = 0; k < 3; k++) colors[3 * (first + p) + k] = color(k, p);
      }
    });
    return [densities, colors];
  }

  /** [densities, colours] at points of the field's frame. */
  at(points, directions) {
    return this.atCube(toCube(points, this.space), directions);
  }

  /** The cells that may hold something, a byte each; null where all may. */
  get occupied() {
    const { cells } = this;
    if (cells.limit && !cells.occupied) {
      cells.occupied = askCells((points) => this.atCube(points)[0], cells);
    }
    return cells.occupied ?? null;
  }

  /** log(density / SURFACE_DENSITY) at points, nowhere inside where rendering skips. */
  level(points) {
    const cube = toCube(points, this.space);
    const { occupied } = this;
    return this.atCube(cube)[0].map((density, i) => {
      const level = Math.log(Math.max(density, 1e-12) / SURFACE_DENSITY);
      const kept = !occupied || occupied[cellOf(cube[3 * i], cube[3 * i + 1], cube[3 * i + 2])];
      return kept ? level : Math.min(level, EMPTY_LEVEL);
    });
  }
}
