// Encodings: what points of the cube [-1, 1]^3 become before they enter a network.
//
// `write(points, first, count, rows, stride)` encodes `count` points of an array of x, y, z from
// index `first` into rows of features: feature f of point p is rows[f * stride + p].

import { Registry } from "./registry.js";
import { normal, STREAMS } from "./seeded.js";

const PRIMES = [1, 2654435761, 805459861];

const identity = (inputs) => ({
  features: inputs,
  write(points, first, count, rows, stride) {
    for (let k = 0; k < inputs; k++) {
      for (let p = 0; p < count; p++) rows[k * stride + p] = points[(first + p) * inputs + k];
    }
  },
});

/** x, then sin(2^i x), cos(2^i x). */
export const frequency = ({ num_frequencies, include_input }, inputs) => ({
  features: inputs * (2 * num_frequencies + include_input),
  write(points, first, count, rows, stride) {
    for (let p = 0; p < count; p++) {
      for (let k = 0; k < inputs; k++) {
        const x = points[(first + p) * inputs + k];
        let row = k;
        if (include_input) {
          rows[row * stride + p] = x;
          row += inputs;
        }
        for (let i = 0, phase = x; i < num_frequencies; i++, phase *= 2, row += 2 * inputs) {
          rows[row * stride + p] = Math.sin(phase);
          rows[(row + inputs) * stride + p] = Math.cos(phase);
        }
      }
    }
  },
});

/** sin(B x) and then cos(B x), the rows of B being seeded directions. */
function randomFourier({ num_frequencies: count, radians }, inputs) {
  const directions = normal(STREAMS.frequencies, count * inputs, radians);
  return {
    features: 2 * count,
    write(points, first, numPoints, rows, stride) {
      for (let f = 0; f < count; f++) {
        for (let p = 0; p < numPoints; p++) {
          let phase = 0;
          for (let k = 0; k < inputs; k++) {
            phase += directions[f * inputs + k] * points[(first + p) * inputs + k];
          }
          rows[f * stride + p] = Math.sin(phase);
          rows[(count + f) * stride + p] = Math.cos(phase);
        }
      }
    },
  };
}

/** Nodes along an edge of the cube, level by level. */
export const resolutions = ({ num_levels: count, coarsest, finest }) =>
  Array.from({ length: count }, (_, i) =>
    count === 1 ? finest : Math.round(coarsest * (finest / coarsest) ** (i / (count - 1))),
  );

const gridComplaint = ({ num_levels, num_channels, coarsest, finest }) =>
  (num_levels < 1 || num_channels < 1 || coarsest < 2 || finest < coarsest) &&
  "the sizes of its grid are invalid";

const GRID_OPTIONS = ["num_levels", "num_channels", "coarsest", "finest"].map((n) => [n, "whole"]);

const mostRows = ({ log2_table_size }) => (log2_table_size ? 2 ** log2_table_size : Infinity);

const gridParameters = (options) =>
  resolutions(options).reduce((sum, n) => sum + Math.min(n ** 3, mostRows(options)), 0) *
  options.num_channels;

/** The row of a node of a level, plane or line, by its indices along the axes of that. */
export const rowOf = ({ nodes, first, mask }, x, y = 0, z = 0) =>
  first +
  (mask
    ? (x ^ Math.imul(y, PRIMES[1]) ^ Math.imul(z, PRIMES[2])) & mask
    : x + nodes * (y + nodes * z));

/** The cell of a coordinate between `nodes` nodes, and the place within it: [cell, part]. */
function placeOf(coordinate, nodes) {
  const unit = Math.min(Math.max(coordinate, -1), 1) + 1;
  const position = Math.fround(unit) * 0.5 * (nodes - 1);
  const cell = Math.min(Math.floor(position), nodes - 2);
  return [cell, position - cell];
}

/** Features at the nodes of grids, read trilinearly; nodes share rows by a hash where few fit. */
function grid(options) {
  const channels = options.num_channels;
  const levels = [];
  let first = 0;
  for (const nodes of resolutions(options)) {
    const rows = Math.min(nodes ** 3, mostRows(options));
    levels.push({ nodes, axes: [0, 1, 2], first, rows, mask: rows < nodes ** 3 ? rows - 1 : 0 });
    first += rows;
  }
  return {
    features: levels.length * channels,
    shape: [first, channels],
    levels,
    write(points, start, count, rows, stride, table) {
      const at = [0, 0, 0];
      const part = [0, 0, 0];
      for (let p = 0; p < count; p++) {
        levels.forEach((level, index) => {
          for (let k = 0; k < 3; k++) {
            [at[k], part[k]] = placeOf(points[(start + p) * 3 + k], level.nodes);
          }
          for (let c = 0; c < channels; c++) rows[(index * channels + c) * stride + p] = 0;
          for (let corner = 0; corner < 8; corner++) {
            const x = corner & 1;
            const y = (corner >> 1) & 1;
            const z = corner >> 2;
            const weight =
              (x ? part[0] : 1 - part[0]) *
              (y ? part[1] : 1 - part[1]) *
              (z ? part[2] : 1 - part[2]);
            const row = rowOf(level, at[0] + x, at[1] + y, at[2] + z) * channels;
            for (let c = 0; c < channels; c++) {
              rows[(index * channels + c) * stride + p] += weight * table[row + c];
            }
          }
        });
      }
    },
  };
}

/** Products of lines and planes: a term has the axes of its factors. */
function separable(products) {
  return (options) => {
    const channels = options.num_channels;
    const levels = [];
    let first = 0;
    const terms = resolutions(options).flatMap((nodes) =>
      products.map((product) =>
        product.map((axes) => {
          const factor = { nodes, axes, first, rows: nodes ** axes.length, mask: 0 };
          levels.push(factor);
          first += factor.rows;
          return factor;
        }),
      ),
    );
    return {
      features: terms.length * channels,
      shape: [first, channels],
      levels,
      terms,
      write(points, start, count, rows, stride, table) {
        for (let p = 0; p < count; p++) {
          terms.forEach((term, index) => {
            for (let c = 0; c < channels; c++) rows[(index * channels + c) * stride + p] = 1;
            for (const factor of term) {
              const corners = cornersOf(factor, points, start + p);
              for (let c = 0; c < channels; c++) {
                rows[(index * channels + c) * stride + p] *= interpolated(corners, table, channels, c);
              }
            }
          });
        }
      },
    };
  };
}

/** Products of every channel of one factor with every channel of the others, the last one fastest. */
function outer(products) {
  return (options) => {
    const plain = separable(products)(options);
    const channels = options.num_channels;
    const width = channels ** products[0].length;
    return {
      ...plain,
      features: plain.terms.length * width,
      write(points, start, count, rows, stride, table) {
        for (let p = 0; p < count; p++) {
          plain.terms.forEach((term, index) => {
            for (let c = 0; c < width; c++) rows[(index * width + c) * stride + p] = 1;
            term.forEach((factor, place) => {
              const corners = cornersOf(factor, points, start + p);
              const run = channels ** (term.length - 1 - place);
              const values = Array.from({ length: channels }, (_, c) => interpolated(corners, table, channels, c));
              for (let c = 0; c < width; c++) {
                rows[(index * width + c) * stride + p] *= values[Math.floor(c / run) % channels];
              }
            });
          });
        }
      },
    };
  };
}

/** [row, weight] of each node of a line or plane that a point lies between. */
function cornersOf(factor, points, point) {
  const places = factor.axes.map((axis) => placeOf(points[point * 3 + axis], factor.nodes));
  const [[x, right], [y, above] = [0, 0]] = places;
  const corners = [];
  for (let corner = 0; corner < 2 ** factor.axes.length; corner++) {
    const [i, j] = [corner & 1, corner >> 1];
    const weight = (i ? right : 1 - right) * (j ? above : 1 - above);
    corners.push([rowOf(factor, x + i, y + j), weight]);
  }
  return corners;
}

function interpolated(corners, table, channels, channel) {
  let value = 0;
  for (const [row, weight] of corners) value += weight * table[row * channels + channel];
  return value;
}

/** The entry of products of lines and planes; those of `products` are of one level. */
const separableEntry = (name, number, products, build = separable) => ({
  name,
  number,
  options: GRID_OPTIONS,
  complaint: gridComplaint,
  numParameters: (options) =>
    resolutions(options).reduce(
      (sum, n) => sum + products.flat().reduce((rows, axes) => rows + n ** axes.length, 0),
      0,
    ) * options.num_channels,
  build: build(products),
});

export const ENCODINGS = new Registry(
  "encoding",
  {
    name: "identity",
    number: 0,
    options: [],
    numParameters: () => 0,
    build: (options, inputs = 3) => identity(inputs),
  },
  {
    name: "frequency",
    number: 1,
    options: [["num_frequencies", "whole"], ["include_input", "switch"]],
    complaint: ({ num_frequencies, include_input }) =>
      !num_frequencies && !include_input && "its encoding has no features",
    numParameters: () => 0,
    build: (options, inputs = 3) => frequency(options, inputs),
  },
  {
    name: "hash-grid",
    number: 2,
    options: [...GRID_OPTIONS, ["log2_table_size", "whole"]],
    complaint: (options) =>
      gridComplaint(options) ||
      ((options.log2_table_size < 4 || options.log2_table_size > 24) &&
        "the table of its hash grid has an invalid size"),
    numParameters: gridParameters,
    build: grid,
  },
  {
    name: "dense-grid",
    number: 3,
    options: GRID_OPTIONS,
    complaint: gridComplaint,
    numParameters: gridParameters,
    build: grid,
  },
  {
    name: "random-fourier",
    number: 4,
    options: [["num_frequencies", "whole"], ["radians", "decimal"]],
    complaint: ({ num_frequencies, radians }) =>
      (num_frequencies < 1 || !(radians > 0)) && "its encoding has no frequencies",
    numParameters: () => 0,
    build: (options, inputs = 3) => randomFourier(options, inputs),
  },
  separableEntry("cp", 5, [[[0], [1], [2]]]),
  separableEntry("vm", 6, [[[0, 1], [2]], [[0, 2], [1]], [[1, 2], [0]]]),
  {
    ...separableEntry("tucker", 7, [[[0], [1], [2]]], outer),
    complaint: (options) =>
      gridComplaint(options) || (options.num_channels > 16 && "its encoding has too many features"),
  },
);

export const NUM_HARMONICS = 16;

/** Real spherical harmonics of degree 0 to 3 of unit directions, written as encodings are. */
export function writeHarmonics(directions, first, count, rows, stride) {
  for (let p = 0; p < count; p++) {
    const [x, y, z] = directions.subarray(3 * (first + p), 3 * (first + p) + 3);
    const [xx, yy, zz] = [x * x, y * y, z * z];
    const values = [
      0.28209479177387814,
      -0.4886025119029199 * y,
      0.4886025119029199 * z,
      -0.4886025119029199 * x,
      1.0925484305920792 * x * y,
      -1.0925484305920792 * y * z,
      0.31539156525252005 * (3 * zz - 1),
      -1.0925484305920792 * x * z,
      0.5462742152960396 * (xx - yy),
      -0.5900435899266435 * y * (3 * xx - yy),
      2.890611442640554 * x * y * z,
      -0.4570457994644658 * y * (5 * zz - 1),
      0.3731763325901154 * z * (5 * zz - 3),
      -0.4570457994644658 * x * (5 * zz - 1),
      1.445305721320277 * z * (xx - yy),
      -0.5900435899266435 * x * (xx - 3 * yy),
    ];
    for (let k = 0; k < NUM_HARMONICS; k++) rows[k * stride + p] = values[k];
  }
}
