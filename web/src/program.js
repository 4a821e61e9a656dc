// A stack of layers as a program on blocks of points: packed weights and buffers in one memory.

import { BLOCK, createKernels } from "./kernels.js";

const GROUP = 4;
const padded = (n) => GROUP * Math.ceil(n / GROUP);

/** The matrices of the layers, one after the other, each with what follows it. */
export function products(layers) {
  return layers.flatMap(({ factors, tensors, bias, activation, skip }) => {
    const matrices = factors(tensors).reverse();
    return matrices.map((matrix, i) => {
      const isLast = i === matrices.length - 1;
      const own = isLast && activation;
      return {
        ...matrix,
        bias: isLast ? bias : null,
        scale: own ? own.entry.scale(own.options) : 1,
        kernel: own ? own.entry.kernel : "none",
        skip: skip && i === 0,
      };
    });
  });
}

export class Program {
  /** `layers` with their `tensors` and `bias`. */
  constructor(layers, kernels) {
    const steps = products(layers);
    this.inputs = layers[0].inputs;
    this.outputs = layers.at(-1).outputs;
    let floats = this.inputs * BLOCK;
    const reserve = (count) => (floats += count) - count;
    const mostRows = Math.max(...steps.flatMap((s) => [padded(s.rows), s.columns]));
    const buffers = [reserve(mostRows * BLOCK), reserve(mostRows * BLOCK)];
    for (const one of steps) {
      one.groups = padded(one.rows) / GROUP;
      one.weightsAt = reserve(GROUP * one.groups * one.columns);
      one.biasAt = reserve(GROUP * one.groups);
    }
    // All layers have the same activation.
    const omega = layers.find(({ activation }) => activation)?.activation.options.omega_0;
    this.kernels = createKernels(floats, kernels, omega);
    const memory = this.kernels.floats;
    let from = 0;
    this.steps = steps.map((one, index) => {
      for (let r = 0; r < one.rows; r++) {
        const group = one.weightsAt + (r >> 2) * GROUP * one.columns + (r % GROUP);
        const row = r * one.columns;
        for (let c = 0; c < one.columns; c++) memory[group + GROUP * c] = one.data[row + c] * one.scale;
        memory[one.biasAt + r] = one.bias ? one.bias[r] * one.scale : 0;
      }
      const to = buffers[index % 2];
      const call = [one.kernel, from, one.weightsAt, one.biasAt, to, one.columns, one.groups];
      // Where a layer sees the inputs again they lie behind the units.
      const behind = one.skip ? from + (one.columns - this.inputs) * BLOCK : 0;
      from = to;
      return { call, behind };
    });
    this.input = memory.subarray(0, this.inputs * BLOCK);
    this.output = memory.subarray(from, from + this.outputs * BLOCK);
  }

  /** Fills `output` from `input`, both rows of features of BLOCK points. */
  run() {
    const { floats, layer } = this.kernels;
    for (const { call, behind } of this.steps) {
      if (behind) floats.copyWithin(behind, 0, this.inputs * BLOCK);
      layer(...call);
    }
  }
}
