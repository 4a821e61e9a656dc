// The network of a radiance field as functions in GLSL, with its weights and its table as data.
//
// `a` holds the units of a layer, four in a vec4. A matrix is a list of mat4, four inputs times four
// outputs each. Those of a small network are written into the code, which some drivers run ten times
// as fast; others lie in uniform blocks, and in a texture where these are full. The table is a
// texture that is read node by node: the filters of a GPU know 256 places between two nodes, and
// nodes that share a row by a hash are no neighbours in any texture.

import { products } from "../program.js";

export const TABLE_WIDTH = 4096;
export const TEXTURE_WIDTH = 1024;
const MATRIX = 16; // floats
const SMALL = 1 << 14; // products that are written into the code

const quarter = (n) => Math.ceil(n / 4);
const upTo = (n, write) => Array.from({ length: n }, (_, i) => write(i)).join("\n");

/** A number as GLSL has it. */
export const real = (x) => (/[.e]/.test(x) ? `${x}` : `${x}.`);

/** Where weights go: the code, the uniform blocks that a GPU allows, or a texture. */
class Weights {
  constructor({ blockBytes, numBlocks }, isSmall) {
    Object.assign(this, { room: blockBytes / 4, numBlocks, isSmall });
    Object.assign(this, { blocks: [], texels: [], biases: [] });
  }

  /** Code for matrix (input, output) of `floats`, which are `outputs` matrices for every input. */
  place(floats, outputs) {
    if (this.isSmall) {
      return (input, output) => {
        const at = MATRIX * (input * outputs + output);
        return `mat4(${Array.from(floats.subarray(at, at + MATRIX), (x) => real(Number(x.toPrecision(8))))})`;
      };
    }
    let block = this.blocks.findIndex((own) => own.length + floats.length <= this.room);
    if (block < 0 && floats.length <= this.room && this.blocks.length < this.numBlocks) {
      block = this.blocks.push([]) - 1;
    }
    const own = block < 0 ? this.texels : this.blocks[block];
    const first = own.length / MATRIX;
    for (const x of floats) own.push(x);
    return (input, output) => {
      const index = `${first + output} + ${input} * ${outputs}`;
      return block < 0 ? `stored(${index})` : `w${block}[${index}]`;
    };
  }

  get declarations() {
    const blocks = this.blocks.map(
      (own, i) => `layout(std140) uniform W${i} { mat4 w${i}[${own.length / MATRIX}]; };`,
    );
    return `${blocks.join("\n")}
uniform sampler2D weights, biases;
vec4 texel(sampler2D from, int i) { return texelFetch(from, ivec2(i % ${TEXTURE_WIDTH}, i / ${TEXTURE_WIDTH}), 0); }
mat4 stored(int i) { return mat4(texel(weights, 4 * i), texel(weights, 4 * i + 1), texel(weights, 4 * i + 2), texel(weights, 4 * i + 3)); }`;
  }
}

const ACTIVATIONS = {
  none: (x) => x,
  relu: (x) => `max(${x}, 0.)`,
  sine: (x) => `sin(${x})`,
  gaussian: (x) => `exp(-${x} * ${x})`,
};

/** A matrix as mat4s, inputs outermost; `parts` are the sizes of its inputs, each padded to fours. */
function packed({ rows, columns, data, scale }, parts) {
  const places = parts.flatMap((size, part) => {
    const first = parts.slice(0, part).reduce((sum, n) => sum + 4 * quarter(n), 0);
    return Array.from({ length: size }, (_, i) => first + i);
  });
  const groups = quarter(rows);
  const inputs = parts.reduce((sum, n) => sum + quarter(n), 0);
  const floats = new Float32Array(inputs * groups * MATRIX);
  for (let c = 0; c < columns; c++) {
    const [input, lane] = [places[c] >> 2, places[c] & 3];
    for (let r = 0; r < rows; r++) {
      const at = MATRIX * (input * groups + (r >> 2)) + 4 * lane + (r & 3);
      floats[at] = data[r * columns + c] * scale;
    }
  }
  return { floats, inputs, groups };
}

/** One matrix and what follows it: `a` from `a`. */
function layerCode(step, parts, weights) {
  const { floats, inputs, groups } = packed(step, parts);
  const matrix = weights.place(floats, groups);
  const add = (input) => upTo(groups, (g) => `s${g} += ${matrix(input, g)} * a[${input}];`);
  const first = weights.biases.length / 4;
  for (let r = 0; r < 4 * groups; r++) weights.biases.push(r < step.rows && step.bias ? step.bias[r] * step.scale : 0);
  return `{
${upTo(groups, (g) => `vec4 s${g} = texel(biases, ${first + g});`)}
${weights.isSmall ? upTo(inputs, add) : `for (int i = 0; i < ${inputs}; i++) {\n${add("i")}\n}`}
${upTo(groups, (g) => `a[${g}] = ${ACTIVATIONS[step.kernel](`s${g}`)};`)}
}`;
}

/** A function that runs a stack on `a`; `parts` are the sizes of its inputs. */
function stackCode(name, layers, parts, weights) {
  const size = layers[0].inputs;
  const steps = products(layers).map((step) => {
    if (!step.skip) return layerCode(step, step.columns === size ? parts : [step.columns], weights);
    const units = step.columns - size;
    const again = upTo(quarter(size), (i) => `a[${quarter(units) + i}] = kept[${i}];`);
    return again + layerCode(step, [units, size], weights);
  });
  return `void ${name}() {\n${steps.join("\n")}\n}`;
}

/** The largest number of vec4 that layers need at a time. */
const mostUnits = (stacks) =>
  Math.max(...Object.values(stacks).flat().flatMap((l) => [quarter(l.outputs), quarter(l.inputs) + 1]));

const GRID = ({ groups }) => `
uniform highp sampler2D table;
vec4 node(ivec3 at, int nodes, int first, uint mask, int group) {
  uvec3 u = uvec3(at);
  int row = first + int(mask > 0u ? (u.x ^ u.y * 2654435761u ^ u.z * 805459861u) & mask
    : u.x + uint(nodes) * (u.y + uint(nodes) * u.z));
  row = row * ${groups} + group;
  return texelFetch(table, ivec2(row % ${TABLE_WIDTH}, row / ${TABLE_WIDTH}), 0);
}
vec4 grid(vec3 p, int nodes, int first, uint mask, int group) {
  vec3 position = (clamp(p, -1., 1.) + 1.) * .5 * float(nodes - 1);
  vec3 cell = min(floor(position), float(nodes - 2));
  vec3 part = position - cell;
  vec4 sum = vec4(0);
  for (int c = 0; c < 8; c++) {
    ivec3 corner = ivec3(c & 1, c >> 1 & 1, c >> 2);
    vec3 weight = mix(1. - part, part, vec3(corner));
    sum += weight.x * weight.y * weight.z * node(ivec3(cell) + corner, nodes, first, mask, group);
  }
  return sum;
}`;

const LINES = ({ groups }) => `
uniform highp sampler2D table;
vec4 node(int row, int group) {
  row = row * ${groups} + group;
  return texelFetch(table, ivec2(row % ${TABLE_WIDTH}, row / ${TABLE_WIDTH}), 0);
}
vec4 line(float x, int nodes, int first, int group) {
  float position = (clamp(x, -1., 1.) + 1.) * .5 * float(nodes - 1), cell = min(floor(position), float(nodes - 2));
  return mix(node(first + int(cell), group), node(first + int(cell) + 1, group), position - cell);
}
vec4 plane(vec2 p, int nodes, int first, int group) {
  float position = (clamp(p.y, -1., 1.) + 1.) * .5 * float(nodes - 1), cell = min(floor(position), float(nodes - 2));
  int row = first + int(cell) * nodes;
  return mix(line(p.x, nodes, row, group), line(p.x, nodes, row + nodes, group), position - cell);
}`;

/** GLSL that encodes p: {declarations, prepare, features: one expression each}. */
const ENCODINGS = {
  identity: () => ({ features: ["p.x", "p.y", "p.z"] }),
  frequency: ({ num_frequencies, include_input }) => ({
    features: [
      ...(include_input ? ["p.x", "p.y", "p.z"] : []),
      ...Array.from({ length: num_frequencies }, (_, i) =>
        ["sin", "cos"].flatMap((f) => ["x", "y", "z"].map((k) => `${f}(${real(2 ** i)} * p.${k})`)),
      ).flat(),
    ],
  }),
  "hash-grid": (options, encoding) => gridCode(options, encoding),
  "dense-grid": (options, encoding) => gridCode(options, encoding),
  cp: (options, encoding) => productCode(options, encoding),
  vm: (options, encoding) => productCode(options, encoding),
  tucker: (options, encoding) => outerCode(options, encoding),
};

function gridCode({ num_channels: channels }, { levels }) {
  const groups = quarter(channels);
  const reads = levels.flatMap(({ nodes, first, mask }, i) =>
    Array.from({ length: groups }, (_, g) => `vec4 g${i}_${g} = grid(p, ${nodes}, ${first}, ${mask}u, ${g});`),
  );
  return {
    declarations: GRID({ groups }),
    prepare: reads.join("\n"),
    features: levels.flatMap((_, i) =>
      Array.from({ length: channels }, (_, c) => `g${i}_${c >> 2}.${"xyzw"[c & 3]}`),
    ),
  };
}

/** The read of four channels of a line or plane. */
const factor = ({ nodes, axes, first }, g) =>
  `${axes.length > 1 ? "plane" : "line"}(p.${axes.map((k) => "xyz"[k]).join("")}, ${nodes}, ${first}, ${g})`;

function productCode({ num_channels: channels }, { terms }) {
  const groups = quarter(channels);
  return {
    declarations: LINES({ groups }),
    prepare: terms
      .map((term, i) => upTo(groups, (g) => `vec4 t${i}_${g} = ${term.map((own) => factor(own, g)).join(" * ")};`))
      .join("\n"),
    features: terms.flatMap((_, i) =>
      Array.from({ length: channels }, (_, c) => `t${i}_${c >> 2}.${"xyzw"[c & 3]}`),
    ),
  };
}

function outerCode({ num_channels: channels }, { terms }) {
  const groups = quarter(channels);
  const value = (i, k, c) => `t${i}_${k}_${c >> 2}.${"xyzw"[c & 3]}`;
  const every = Array.from({ length: channels }, (_, c) => c);
  return {
    declarations: LINES({ groups }),
    prepare: terms
      .flatMap((term, i) => term.map((own, k) => upTo(groups, (g) => `vec4 t${i}_${k}_${g} = ${factor(own, g)};`)))
      .join("\n"),
    features: terms.flatMap((_, i) =>
      every.flatMap((x) =>
        every.flatMap((y) => every.map((z) => `${value(i, 0, x)} * ${value(i, 1, y)} * ${value(i, 2, z)}`)),
      ),
    ),
  };
}

function encodingCode({ entry, options }, encoding, keeps) {
  const { declarations = "", prepare = "", features } = ENCODINGS[entry.name](options, encoding);
  const assign = upTo(quarter(features.length), (i) => {
    const four = Array.from({ length: 4 }, (_, k) => features[4 * i + k] ?? "0.");
    return `a[${i}] = ${keeps ? `kept[${i}] = ` : ""}vec4(${four.join(", ")});`;
  });
  return `${declarations}\nvoid encode(vec3 p) {\n${prepare}\n${assign}\n}`;
}

/** Rows of a table as texels: {channels, data}, with up to four channels in one. */
function tableTexels(table, channels) {
  if ([1, 2, 4].includes(channels)) return { channels, data: table };
  const groups = quarter(channels);
  const data = new Float32Array((table.length / channels) * groups * 4);
  for (let row = 0, from = 0; from < table.length; row++) {
    for (let c = 0; c < channels; c++) data[4 * groups * row + c] = table[from++];
  }
  return { channels: 4, data };
}

/**
 * {code, blocks, weights, biases, table} of an mlp: `float density(vec3)`, after which
 * `vec3 seen(vec4[4])` is the colour, given the harmonics of the direction.
 */
export function networkShader(field, limits) {
  const { encoding, stacks, table } = field.networks.at(-1);
  const { encoding: chosen } = field.config;
  const { trunk, head } = stacks;
  const numProducts = products([...trunk, ...head]).reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const weights = new Weights(limits, numProducts <= SMALL);
  const keeps = trunk.some(({ skip }) => skip);
  const functions = [
    encodingCode(chosen, encoding, keeps),
    stackCode("trunk", trunk, [trunk[0].inputs], weights),
    stackCode("head", head, [head[0].inputs], weights),
  ];
  return {
    code: `${weights.declarations}
vec4 a[${mostUnits(stacks)}]${keeps ? `, kept[${quarter(trunk[0].inputs)}]` : ""};
${functions.join("\n")}
float density(vec3 p) {
  encode(p);
  trunk();
  return exp(clamp(a[0].x - 1., -12., 12.));
}
vec3 seen(vec4 harmonics[4]) {
  for (int i = 0; i < 4; i++) a[4 + i] = harmonics[i];
  head();
  return 1. / (1. + exp(-a[0].xyz));
}`,
    blocks: weights.blocks,
    weights: weights.texels,
    biases: weights.biases,
    table: table && tableTexels(table, chosen.options.num_channels),
  };
}
