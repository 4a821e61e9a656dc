// Activations h = f(scale z). The scale is folded into the weights before an activation.

import { Registry } from "./registry.js";

const WAVE = {
  options: [["omega_0", "decimal"]],
  complaint: ({ omega_0 }) => !omega_0 && "an option of its network is 0",
  scale: ({ omega_0 }) => omega_0,
  weightStd: ({ omega_0 }, inputs, first) =>
    (first ? 1 / inputs : Math.sqrt(6 / inputs) / omega_0) / Math.sqrt(3),
};

/** `kernel` is the name of f among the kernels (kernels.js). */
export const ACTIVATIONS = new Registry(
  "activation",
  {
    name: "relu",
    number: 0,
    options: [],
    kernel: "relu",
    scale: () => 1,
    weightStd: (options, inputs) => Math.sqrt(2 / inputs),
  },
  { ...WAVE, name: "sine", number: 1, kernel: "sine" },
  {
    name: "gaussian",
    number: 2,
    options: [["sigma", "decimal"]],
    complaint: ({ sigma }) => !sigma && "an option of its network is 0",
    kernel: "gaussian",
    scale: ({ sigma }) => 1 / (Math.SQRT2 * sigma),
    weightStd: () => null,
  },
  { ...WAVE, name: "finer", number: 3, kernel: "finer" },
);
