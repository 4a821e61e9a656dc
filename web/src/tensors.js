// Tensors of whole numbers: the model of each part, its values, and their step.

import { broken } from "./bytes.js";
import { lawParts, WRITTEN, writtenParts } from "./laws.js";

export const MOST_REACH = 1 << 20;
const TABLE_BITS = 7;

/** A step is one byte: (8 + low three bits) 2^(high five bits - 27). */
export const stepOf = (byte) => (8 + (byte % 8)) * 2 ** ((byte >> 3) - 27);

/** What is known of values before they are decoded; those that `rise` are differences. */
export function readModel(reader, rises) {
  const start = rises ? reader.signed() : 0;
  const reach = reader.whole();
  if (Math.abs(start) > MOST_REACH || reach > MOST_REACH) {
    throw broken(`a quantised value in it is beyond ${MOST_REACH}`);
  }
  const model = { rises, start, reach, lowBits: Math.max(0, 32 - Math.clz32(reach) - TABLE_BITS) };
  if (!reach) return model;
  const law = reader.byte();
  if (law > WRITTEN) throw broken(`it names probability law ${law}, which does not exist`);
  model.lowest = rises ? 0 : -reach >> model.lowBits;
  const count = (reach >> model.lowBits) - model.lowest + 1;
  if (law === WRITTEN) {
    const bytes = reader.take(count);
    if (!bytes.some(Boolean)) throw broken("a probability table in it is empty");
    model.parts = () => writtenParts(bytes);
  } else {
    const half = model.lowBits > 0 ? 1 : 0;
    model.parts = () =>
      lawParts(law, Array.from({ length: count }, (_, k) => Math.abs(2 * (model.lowest + k) + half)));
  }
  return model;
}

/** `count` values; where they rise, `fresh(i)` says whether value i begins anew at the start. */
export function readWhole(decoder, model, count, fresh) {
  const values = new Int32Array(count);
  if (model.reach) {
    decoder.take(count, model.parts(), values, 1 << model.lowBits);
    const offset = model.lowest * 2 ** model.lowBits;
    for (let i = 0; i < count; i++) values[i] += offset;
    if (model.lowBits) decoder.takeBits(count, model.lowBits, values);
  }
  for (let i = 0; i < count; i++) {
    if (model.rises) values[i] += fresh(i) ? model.start : values[i - 1];
    if (Math.abs(values[i]) > MOST_REACH) {
      throw broken(`a quantised value in it is beyond ${MOST_REACH}`);
    }
  }
  return values;
}

/**
 * The models of a layer's or a table's tensor of [rows, columns], before any number is read.
 * `role` is "key" (its first column rises), "bias" (all of it rises) or undefined.
 */
export function readTensorModels(reader, [rows, columns], role) {
  const step = stepOf(reader.byte());
  const widths = role === "key" ? [1, columns - 1].slice(0, columns) : [columns];
  const parts = widths.map((width, i) => ({
    width,
    model: readModel(reader, role === "bias" || (role === "key" && i === 0)),
  }));
  return { step, rows, columns, parts };
}

/** The numbers of a tensor as float32, and its first column as whole numbers. */
export function readTensor(decoder, { step, rows, columns, parts }, keys) {
  const data = new Float32Array(rows * columns);
  let column = 0;
  let firstColumn;
  for (const { width, model } of parts) {
    const whole = readWhole(decoder, model, rows * width, (i) => !i || !!keys && keys[i] !== keys[i - 1]);
    firstColumn ??= whole;
    for (let row = 0, i = 0; row < rows; row++) {
      for (let k = 0; k < width; k++, i++) data[row * columns + column + k] = whole[i] * step;
    }
    column += width;
  }
  return { data, firstColumn };
}
