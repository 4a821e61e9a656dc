// Networks: the layers of a field, in the order of their tensors in a file.
//
// A stack is a list of layers {inputs, outputs, activation, skip, isSorted, ...what the backbone
// builds}, `isSorted` where a file has the layer's units in their order; a network is
// {encoding, stacks}. `evaluator` says how the stacks of a radiance field make density and colour.

import { ENCODINGS, frequency, NUM_HARMONICS, writeHarmonics } from "./encodings.js";
import { broken } from "./bytes.js";
import { LINEARS } from "./linears.js";
import { Registry } from "./registry.js";

const NUM_FEATURES = 16;
const COLOR_WIDTH = 64;
const DIRECTION_FREQUENCIES = 4;
const START_LOGIT = -1;

const FULL = { entry: LINEARS.entries[0], options: {} };

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** One layer; `activation` is null after the last one. */
function layer(linear, inputs, outputs, activation, { first = false, skip = false } = {}) {
  const std = activation?.entry.weightStd(activation.options, inputs, first);
  const built = linear.entry.build(linear.options, inputs, outputs, std);
  return { ...built, inputs, outputs, activation, skip, isSorted: false };
}

/** Marks a hidden layer whose units may change places, in its own tensors and in those `after`. */
function sort(hidden, ...after) {
  hidden.isSorted = hidden.units.outputs && after.every(({ units }) => units.inputs);
}

const sortStack = (layers) => layers.slice(1).forEach((next, i) => sort(layers[i], next));

/** in -> width, `depth` times width -> width, width -> out; the inner ones of a backbone. */
function mlp(inputs, outputs, { linear, activation, width, depth, skips }) {
  const layers = Array.from({ length: depth + 2 }, (_, index) => {
    const skip = index > 0 && skips.includes(index);
    const isLast = index === depth + 1;
    return layer(
      index > 0 && !isLast ? linear : FULL,
      index ? width + inputs * skip : inputs,
      isLast ? outputs : width,
      isLast ? null : activation,
      { first: !index, skip },
    );
  });
  if (!linear.entry.isDense && layers.every((one) => one.isDense)) {
    throw broken("its factors store as much as dense layers would");
  }
  sortStack(layers);
  return layers;
}

const encodingOf = ({ encoding }) => encoding.entry.build(encoding.options, 3);

/** The network of a shape: one logit. */
export function shapeNetwork(config) {
  if (config.network.name !== "mlp") throw broken("the network of a shape is an mlp");
  const encoding = encodingOf(config);
  return { encoding, stacks: { trunk: mlp(encoding.features, 1, config) } };
}

export const NETWORKS = new Registry(
  "network",
  {
    name: "mlp",
    number: 0,
    stages: 1,
    build(config) {
      const encoding = encodingOf(config);
      const head = { ...config, linear: FULL, width: COLOR_WIDTH, depth: 0, skips: [] };
      return {
        encoding,
        stacks: {
          trunk: mlp(encoding.features, NUM_FEATURES, config),
          head: mlp(NUM_FEATURES + NUM_HARMONICS, 3, head),
        },
      };
    },
    density: (run) => {
      const features = run("trunk");
      const density = (p) => Math.exp(Math.min(Math.max(features.at(0, p) + START_LOGIT, -12), 12));
      return { density, features, numFeatures: NUM_FEATURES };
    },
    color(run, writeDirections) {
      const head = run("head", (rows, stride, features) => {
        features(rows);
        writeDirections(writeHarmonics, rows.subarray(NUM_FEATURES * stride));
      });
      return (k, p) => sigmoid(head.at(k, p));
    },
  },
  {
    name: "nerf",
    number: 1,
    stages: 2,
    build(config) {
      const { linear, activation, width, depth, skips } = config;
      if (width < 2) throw broken("the last layer of its network has half of its width, 0");
      const encoding = encodingOf(config);
      const inputs = encoding.features;
      const trunk = Array.from({ length: depth + 1 }, (_, index) => {
        const skip = index > 0 && skips.includes(index);
        const from = index ? width + inputs * skip : inputs;
        return layer(linear, from, width, activation, { first: !index, skip });
      });
      const directions = directionEncoding(config);
      const half = width >> 1;
      const sigma = layer(linear, width, 1, null);
      const features = layer(linear, width, width, null);
      const view = layer(linear, width + directions.features, half, activation);
      const rgb = layer(linear, half, 3, null);
      sortStack(trunk);
      sort(trunk.at(-1), sigma, features);
      sort(view, rgb);
      return {
        encoding,
        directions,
        stacks: { trunk, sigma: [sigma], features: [features], view: [view], rgb: [rgb] },
      };
    },
    density(run) {
      const hidden = run("trunk");
      const logit = run("sigma", (rows) => hidden.copy(rows));
      // The softplus of torch: x itself above 20.
      const density = (p) => {
        const x = logit.at(0, p) - 1;
        return x > 20 ? x : Math.log1p(Math.exp(x));
      };
      return { density, features: hidden };
    },
    color(run, writeDirections, { directions }) {
      const bottleneck = run("features", (rows, stride, features) => features(rows));
      const view = run("view", (rows, stride) => {
        bottleneck.copy(rows);
        writeDirections(directions.write, rows.subarray(bottleneck.count * stride));
      });
      const rgb = run("rgb", (rows) => view.copy(rows));
      return (k, p) => sigmoid(rgb.at(k, p));
    },
  },
);

function directionEncoding({ encoding }) {
  if (encoding.entry.name === "identity") return ENCODINGS.entries[0].build({}, 3);
  return frequency({ num_frequencies: DIRECTION_FREQUENCIES, include_input: true }, 3);
}
