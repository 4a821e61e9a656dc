// The shader that draws a radiance field: rays in equal steps through the occupied cells of the
// cube, as fieldlr/rendering does it, with the network of network-shader.js.

import { CELLS } from "../cells.js";
import { networkShader, real } from "./network-shader.js";

// Of fieldlr/rendering: steps of a ray in training, how many times as many views take, and the
// optical depth at which it ends.
const STEPS = { box: 192, ndc: 128, contracted: 128 };
const FINER = { box: 2, ndc: 1, contracted: 1 };
const DARK = 7;
// A sample that adds less than this gets no colour of its own; the others of its ray have its share.
const FAINT = 5e-4;
const [OUTERMOST, TINIEST] = [1e6, 1e-6];

const vector = (v) => `vec3(${v.map((x) => real(Math.fround(x))).join(", ")})`;
const longest = ({ low, high }) => Math.max(...high.map((b, k) => b - low[k]));

/** The length of a piece of a ray in the cube where that is bent: of its chord. */
const CHORD = `float stretch(vec3 d, float t0, float t1) { return distance(cube(eye + t0 * d), cube(eye + t1 * d)); }`;

/**
 * By the kind of a space: `cube(p)`, a point in the cube; `span(d)`, where a ray along d starts and
 * stops; `pace(span)`, the step in s of 0 to 1; `at(s, span, d)`, the distance there;
 * `stretch(d, t0, t1)`, the length of a piece of it in units of the cube.
 */
const SPACES = {
  box: ({ low, high, near, far, ...space }) => `
vec3 cube(vec3 p) { return (p - ${vector(low)}) * ${vector(high.map((b, k) => 2 / (b - low[k])))} - 1.; }
vec2 span(vec3 d) {
  vec3 inverse = 1. / mix(d, vec3(1e-12), lessThan(abs(d), vec3(1e-12)));
  vec3 a = (${vector(low)} - eye) * inverse, b = (${vector(high)} - eye) * inverse;
  vec3 first = min(a, b), last = max(a, b);
  float enter = max(max(first.x, max(first.y, first.z)), 0.), leave = min(last.x, min(last.y, last.z));
  if (leave <= enter) return vec2(0);
  enter = max(enter, ${real(near)});
  return vec2(enter, max(min(leave, ${real(Math.min(far, OUTERMOST * longest({ low, high })))}), enter));
}
float pace(vec2 span) {
  return ${real((2 * Math.sqrt(3) * longest({ low, high })) / 2)} / float(steps) / max(span.y - span.x, 1e-9);
}
float at(float s, vec2 span, vec3 d) { return mix(span.x, span.y, s); }
float stretch(vec3 d, float t0, float t1) { return (t1 - t0) * ${real(2 / longest({ low, high }))}; }`,
  ndc: ({ near, focal }) => `
vec3 cube(vec3 p) {
  float z = min(p.z, -1e-9);
  return vec3(${real(-focal[0])} * p.x / z, ${real(-focal[1])} * p.y / z, 1. + ${real(2 * near)} / z);
}
vec2 span(vec3 d) { return vec2(-(${real(near)} + eye.z) / min(d.z, -1e-6), ${real(1e30)}); }
float pace(vec2 span) { return 1. / float(steps); }
float at(float s, vec2 span, vec3 d) {
  return span.x + ${real(near)} * s / (max(1. - s, ${TINIEST}) * -min(d.z, -1e-6));
}
${CHORD}`,
  contracted: ({ low, high, near, far }) => `
vec3 cube(vec3 p) {
  vec3 u = (p - ${vector(low)}) * ${vector(high.map((b, k) => 2 / (b - low[k])))} - 1.;
  float norm = max(length(u), 1e-9);
  return .5 * (norm <= 1. ? u : (2. - 1. / norm) * u / norm);
}
vec2 span(vec3 d) { return vec2(${real(near)}, ${real(Math.min(far, OUTERMOST * longest({ low, high })))}); }
float pace(vec2 span) { return 1. / float(steps); }
float paced(float t) {
  t /= ${real(longest({ low, high }) / 2)};
  return t < 1. ? .5 * t : 1. - .5 / max(t, 1e-9);
}
float at(float s, vec2 span, vec3 d) {
  float u = mix(paced(span.x), paced(span.y), s);
  return ${real(longest({ low, high }) / 2)} * (u < .5 ? 2. * u : .5 / max(1. - u, 1e-9));
}
${CHORD}`,
};

const HARMONICS = `
void harmonics(vec3 d, out vec4 h[4]) {
  float x = d.x, y = d.y, z = d.z, xx = x * x, yy = y * y, zz = z * z;
  h[0] = vec4(.28209479, -.48860251 * y, .48860251 * z, -.48860251 * x);
  h[1] = vec4(1.09254843 * x * y, -1.09254843 * y * z, .31539157 * (3. * zz - 1.), -1.09254843 * x * z);
  h[2] = vec4(.54627422 * (xx - yy), -.59004359 * y * (3. * xx - yy), 2.89061144 * x * y * z, -.45704580 * y * (5. * zz - 1.));
  h[3] = vec4(.37317633 * z * (5. * zz - 3.), -.45704580 * x * (5. * zz - 1.), 1.44530572 * z * (xx - yy), -.59004359 * x * (xx - 3. * yy));
}`;

// A ray looks for its next occupied cell in a loop of its own, so that neighbouring rays evaluate
// the network at the same time.
const MARCH = `
uniform highp sampler3D cells;
uniform vec4 crop[3];
out vec4 color;
// Where a ray along d enters and leaves the crop box: its rows lead into a cube, or all to 0.
vec2 within(vec3 d) {
  vec2 span = vec2(-1e12, 1e12);
  for (int k = 0; k < 3; k++) {
    float from = dot(crop[k].xyz, eye) + crop[k].w, pace = dot(crop[k].xyz, d);
    vec2 ends = (vec2(-1, 1) - from) / (abs(pace) < 1e-12 ? 1e-12 : pace);
    span = vec2(max(span.x, min(ends.x, ends.y)), min(span.y, max(ends.x, ends.y)));
  }
  return span;
}
void main() {
  vec2 at01 = gl_FragCoord.xy / raster;
  vec2 aside = (at01 - lens.zw) / lens.xy;
  vec3 d = normalize(aside.x * right + aside.y * up - back);
  vec4 h[4];
  harmonics(d, h);
  vec2 reach = span(d), inside = within(d);
  float step = pace(reach), from, to, end = at(0., reach, d), passed = 0., kept = 0., middle = 0.;
  vec3 sum = vec3(0);
  int k = 0;
  while (passed < ${real(DARK)}) {
    vec3 p;
    bool found = false;
    while (k < steps && !found) {
      from = end;
      end = min(at(min(float(++k) * step, 1.), reach, d), reach.y);
      if (end <= from) break;
      from = max(from, inside.x);
      to = min(end, inside.y);
      if (to <= from) continue;
      p = cube(eye + .5 * (from + to) * d);
      ivec3 cell = clamp(ivec3((p + 1.) * ${real(CELLS / 2)}), 0, ${CELLS - 1});
      found = texelFetch(cells, cell, 0).x > 0.;
    }
    if (!found) break;
    float depth = density(p) * stretch(d, from, to), before = passed;
    passed += depth;
    if (showsDepth) {
      if (passed >= ${real(Math.LN2)} && middle == 0.) middle = mix(from, to, (${real(Math.LN2)} - before) / depth);
      continue;
    }
    float weight = exp(-before) - exp(-passed);
    if (weight < ${FAINT}) continue;
    sum += weight * seen(h);
    kept += weight;
  }
  if (showsDepth) {
    // How near what a ray meets is, in two bytes; the third says whether it meets anything.
    float near = middle > 0. ? unit / (unit + middle) * 255. : 0.;
    color = vec4(floor(near) / 255., fract(near), middle > 0., 1);
    return;
  }
  float light = exp(-passed);
  color = vec4(sum * (1. - light) / max(kept, 1e-9) + light * background, 1);
}`;

/** {coarse, fine}: the steps of a ray in pictures on the way, and in the last, as of `render`. */
export function stepsOf({ space }) {
  const coarse = STEPS[space.kind];
  return { coarse, fine: FINER[space.kind] * coarse };
}

/** What draws a field: {source, blocks, weights, biases, table, cells}; `limits` are the GPU's. */
export function sceneShader(field, limits) {
  const { code, ...data } = networkShader(field, limits);
  const source = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
uniform int steps;
uniform vec3 eye, right, up, back, background;
uniform vec4 lens; // focal lengths and principal point, in widths and heights of the picture
uniform vec2 raster;
uniform bool showsDepth;
uniform float unit;
${SPACES[field.space.kind](field.space)}
${code}
${HARMONICS}
${MARCH}`;
  const cells = field.occupied?.map((full) => 255 * full) ?? new Uint8Array(CELLS ** 3).fill(255);
  return { source, cells, ...data };
}
