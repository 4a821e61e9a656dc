// The head of a file: the network, the space and the frame; then what is known of the source.

import { ACTIVATIONS } from "./activations.js";
import { broken } from "./bytes.js";
import { ENCODINGS } from "./encodings.js";
import { LINEARS } from "./linears.js";
import { NETWORKS } from "./networks.js";
import { readOptions } from "./registry.js";

export const KINDS = ["photos", "mesh", "volume"];
const SPACES = ["box", "ndc", "contracted"];
const TYPES = ["Float32", "Float32", "Float64"]; // by the form of places; form 0 has whole edges
const MOST_WIDTH = 4096;
const MOST_DEPTH = 64;
const MOST_CONFIG_NUMBERS = 2 ** 28;
const ESCAPE = 15;
const MOST_CAMERAS = 8;
const MOST_PIXELS = 1 << 15;
const TURN = 32767;

export function readHead(reader) {
  const first = reader.byte();
  const form = (first >> 4) & 3;
  if (Math.max(first & 3, (first >> 2) & 3, form) > 2) throw broken("its first header byte is invalid");
  const kind = KINDS[first & 3];
  const config = readConfig(reader, NETWORKS.numbered(first >> 7));
  const space = { kind: SPACES[(first >> 2) & 3], ...readBox(reader, form) };
  if (kind === "photos") {
    const [near, far, ...focal] = reader.numbers(4, "Float32");
    if (!(near >= 0 && near < far && focal.every((f) => f > 0 && f < Infinity))) {
      throw broken("its near and far planes or its focal lengths are invalid");
    }
    Object.assign(space, { near, far, focal });
  }
  const frame = (first >> 6) & 1 ? readFrame(reader, TYPES[form]) : null;
  return { kind, config, space, frame };
}

function readConfig(reader, network) {
  const tables = reader.byte();
  const last = reader.byte();
  const registries = [LINEARS, ENCODINGS, ACTIVATIONS];
  const kinds = [tables & 15, tables >> 4, last & 15]
    .map((number) => (number === ESCAPE ? reader.whole() : number))
    .map((number, i) => registries[i].numbered(number));
  const width = reader.whole();
  const depth = reader.whole();
  const skips = Array.from({ length: last >> 4 }, () => reader.whole());
  if (width < 1 || width > MOST_WIDTH || depth > MOST_DEPTH || skips.some((s) => s > MOST_DEPTH)) {
    throw broken(`its network has width ${width} and depth ${depth}, which is beyond the limits`);
  }
  const [linear, encoding, activation] = kinds.map((entry) => ({
    entry,
    options: readOptions(reader, entry),
  }));
  const numbers = width ** 2 * (depth + 1) + encoding.entry.numParameters(encoding.options);
  if (numbers > MOST_CONFIG_NUMBERS) throw broken("its network is too large");
  return { network, linear, encoding, activation, width, depth, skips };
}

function readBox(reader, form) {
  const corners = form
    ? reader.finite(6, TYPES[form])
    : [0, 0, 0, ...Array.from({ length: 3 }, () => reader.whole())];
  const low = corners.slice(0, 3);
  const high = corners.slice(3);
  if (!low.every((a, k) => high[k] - a > 0 && high[k] - a < Infinity)) {
    throw broken("its bounding box is empty");
  }
  return { low, high };
}

/** x -> scale rotation x + translation, from the field's frame to the user's. */
function readFrame(reader, type) {
  const numbers = reader.finite(13, type);
  const rotation = [0, 3, 6].map((i) => numbers.slice(i, i + 3));
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  rotation.forEach((row, i) =>
    rotation.forEach((other, j) => {
      if (!(Math.abs(dot(row, other) - (i === j ? 1 : 0)) <= 1e-3)) {
        throw broken("the rotation of its frame is none");
      }
    }),
  );
  const scale = numbers[9];
  if (!(scale > 1e-30 && scale < 1e30)) throw broken("the scale of its frame is invalid");
  return { rotation, scale, translation: numbers.slice(10) };
}

export function readAbout(reader, kind) {
  const reading = reader.whole() || null;
  const hash = Array.from(reader.take(4), (b) => b.toString(16).padStart(2, "0")).join("");
  if (kind !== "photos") return { reading, hash };
  return { reading, hash, background: Array.from(reader.take(3), (b) => b / 255), cameras: readCameras(reader) };
}

function readCameras(reader) {
  const count = reader.byte();
  if (!count) return [];
  const form = reader.byte();
  if (count > MOST_CAMERAS || form > 3) throw broken("its cameras are invalid");
  const lenses = Array.from({ length: form >= 2 ? 1 : count }, () => readLens(reader));
  return Array.from({ length: count }, (_, i) => ({
    fisheye: form % 2 === 1,
    ...lenses[i % lenses.length],
    ...readPose(reader),
  }));
}

function readLens(reader) {
  const size = [reader.whole(), reader.whole()];
  const ideal = reader.byte();
  const numbers = reader.finite(ideal ? 4 : 10, "Float32");
  if (!size.every((side) => side > 0 && side <= MOST_PIXELS) || !(numbers[0] > 0 && numbers[1] > 0)) {
    throw broken("a camera in it has an impossible lens");
  }
  return { size, intrinsics: numbers.slice(0, 4), distortion: numbers.slice(4) };
}

function readPose(reader) {
  const position = reader.finite(3, "Float32");
  const quaternion = reader.numbers(4, "Int16").map((part) => part / TURN);
  const norm = Math.hypot(...quaternion);
  if (!norm) throw broken("a camera in it has a zero quaternion");
  return { position, quaternion: quaternion.map((part) => part / norm) };
}
