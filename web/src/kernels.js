// The inner loops: one layer of a network on a block of points, in WebAssembly where that is there.
//
// A block is BLOCK points. Feature f of point p lies at f * BLOCK + p. Weights are packed in groups
// of four outputs: weight (o, i) lies at (o >> 2) * 4 * inputs + 4 * i + o % 4. The WebAssembly is
// assembled here: eight points and four outputs at a time, in float32 with 128-bit SIMD.

export const BLOCK = 32;
const GROUP = 4;
const PAGE = 65536;

/**
 * `layer(name, x, w, b, y, inputs, groups)` on float offsets into `floats`, which holds at least
 * `count` floats: y = f(w x + b), f being "none" or an activation's kernel. That of "finer", the
 * only one with an option, is sin(u (1 + |u| / omega)).
 */
export function createKernels(count, wanted = "relaxed simd plain", omega = 1) {
  for (const relaxed of [true, false]) {
    if (!wanted.includes(relaxed ? "relaxed" : "simd")) continue;
    const code = assembled(relaxed, omega);
    if (!globalThis.WebAssembly?.validate(code)) continue;
    const memory = new WebAssembly.Memory({ initial: Math.ceil((4 * count) / PAGE) });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { m: { m: memory } });
    return {
      name: relaxed ? "relaxed" : "simd",
      floats: new Float32Array(memory.buffer),
      layer: (name, x, w, b, y, inputs, groups) =>
        exports[name](4 * x, 4 * w, 4 * b, 4 * y, 16 * inputs, groups),
    };
  }
  return plainKernels(new Float32Array(count), omega);
}

const plainActivations = (omega) => ({
  none: (x) => x,
  relu: (x) => Math.max(x, 0),
  sine: Math.sin,
  gaussian: (x) => Math.exp(-x * x),
  finer: (x) => Math.sin(x * (1 + Math.abs(x) / omega)),
});

function plainKernels(floats, omega) {
  const activations = plainActivations(omega);
  function layer(name, x, w, b, y, inputs, groups) {
    const f = activations[name];
    for (let group = 0; group < groups; group++, w += GROUP * inputs, b += GROUP, y += GROUP * BLOCK) {
      for (let p = 0; p < BLOCK; p++) {
        let s0 = floats[b];
        let s1 = floats[b + 1];
        let s2 = floats[b + 2];
        let s3 = floats[b + 3];
        for (let at = w, from = x + p, end = w + GROUP * inputs; at < end; at += GROUP, from += BLOCK) {
          const value = floats[from];
          s0 += value * floats[at];
          s1 += value * floats[at + 1];
          s2 += value * floats[at + 2];
          s3 += value * floats[at + 3];
        }
        floats[y + p] = f(s0);
        floats[y + BLOCK + p] = f(s1);
        floats[y + 2 * BLOCK + p] = f(s2);
        floats[y + 3 * BLOCK + p] = f(s3);
      }
    }
  }
  return { name: "plain", floats, layer };
}

// The assembler: code is nested arrays of bytes.

const unsigned = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...unsigned(n >>> 7)]);
const signed = (n) => (n >= -64 && n < 64 ? [n & 127] : [(n & 127) | 128, ...signed(n >> 7)]);
const list = (items) => [...unsigned(items.length), ...items.flat(Infinity)];
const text = (name) => list([...name].map((c) => c.charCodeAt(0)));
const sized = (code) => list(code.flat(Infinity));
const section = (id, items) => [id, ...sized(list(items))];
const simd = (op) => [0xfd, ...unsigned(op)];
const bytesOf = (array) => [...new Uint8Array(array.buffer)];

const [I32, V128] = [0x7f, 0x7b];
const get = (local) => [0x20, local];
const set = (local, value) => [value, 0x21, local];
const integer = (n) => [0x41, signed(n)];
const plus = (a, b) => [a, b, 0x6a];
const step = (local, amount) => set(local, plus(get(local), amount));
const until = (a, b, body) => [0x03, 0x40, body, a, b, 0x47, 0x0d, 0, 0x0b]; // do ... while (a != b)

const load = (address, offset) => [address, simd(0x00), 2, unsigned(offset)];
const splatLoad = (address, offset) => [address, simd(0x09), 2, unsigned(offset)];
const store = (address, value, offset) => [address, value, simd(0x0b), 2, unsigned(offset)];
const floats = (x) => [0x43, bytesOf(Float32Array.of(x)), simd(0x13)];
const integers = (n) => [integer(n), simd(0x11)];
const op = (code) => (a, b) => [a, b, simd(code)];
const [add, subtract, multiply, greater] = [0xe4, 0xe5, 0xe6, 0xe9].map(op);
const absolute = (a) => [a, simd(0xe0)];
const nearest = (a) => [a, simd(0x6a)];
const toInteger = (a) => [a, simd(0xf8)];
const addIntegers = op(0xae);
const shiftLeft = (a, bits) => [a, integer(bits), simd(0xab)];
const xor = op(0x51);
const polynomial = (x, coefficients) =>
  coefficients.reduceRight((sum, c) => (sum ? add(multiply(sum, x), floats(c)) : floats(c)), null);

/** sin of local 0: u minus a multiple of pi, pi being the sum of three numbers, as in Cephes' sinf. */
const SINE_CODE = [
  set(1, nearest(multiply(get(0), floats(1 / Math.PI)))),
  [3.140625, 9.67502593994140625e-4, 1.509957990978376432e-7].map((part) =>
    set(0, subtract(get(0), multiply(get(1), floats(part)))),
  ),
  set(2, multiply(get(0), get(0))),
  xor(
    multiply(
      get(0),
      polynomial(get(2), [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800]),
    ),
    shiftLeft(toInteger(get(1)), 31),
  ),
];

/** f of local 0, which is u; locals 1 to 3 are free. */
const activationCode = (omega) => ({
  relu: greater(get(0), floats(0)),
  // 2^t with t = -u^2 log2(e): a polynomial of the fraction, and the integer into the exponent.
  gaussian: [
    set(0, greater(multiply(multiply(get(0), get(0)), floats(-Math.LOG2E)), floats(-126))),
    set(1, nearest(get(0))),
    set(0, subtract(get(0), get(1))),
    multiply(
      polynomial(get(0), [1, 1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720].map((c, i) => c * Math.LN2 ** i)),
      shiftLeft(addIntegers(toInteger(get(1)), integers(127)), 23),
    ),
  ],
  sine: SINE_CODE,
  finer: [
    set(0, multiply(get(0), add(floats(1), multiply(absolute(get(0)), floats(1 / omega))))),
    SINE_CODE,
  ],
});

/** Bytes of a module that exports one function a kernel, and imports its memory. */
function assembled(relaxed, omega) {
  const codes = activationCode(omega);
  const names = Object.keys(codes);
  const multiplyAdd = relaxed ? (a, b, c) => [a, b, c, simd(0x105)] : (a, b, c) => add(multiply(a, b), c);
  // Arguments x, w, b, y, 16 inputs, groups; then locals.
  const [X, W, B, Y, SIZE, GROUPS, P, XP, WP, X0, X1, SUMS] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
  const row = 4 * BLOCK;
  const each = (f) => [0, 1, 2, 3].map((o) => [0, 1].map((half) => f(SUMS + 2 * o + half, o, half)));
  const layer = (activation) => {
    const f = (value) => (activation < 0 ? value : [value, 0x10, activation]);
    const body = until(get(GROUPS), integer(0), [
      set(P, integer(0)),
      until(get(P), integer(row), [
        each((sum, o) => set(sum, splatLoad(get(B), 4 * o))),
        set(WP, get(W)),
        set(XP, plus(get(X), get(P))),
        until(get(WP), plus(get(W), get(SIZE)), [
          set(X0, load(get(XP), 0)),
          set(X1, load(get(XP), 16)),
          each((sum, o, half) =>
            set(sum, multiplyAdd(splatLoad(get(WP), 4 * o), get(half ? X1 : X0), get(sum))),
          ),
          step(XP, integer(row)),
          step(WP, integer(16)),
        ]),
        set(XP, plus(get(Y), get(P))),
        each((sum, o, half) => store(get(XP), f(get(sum)), o * row + 16 * half)),
        step(P, integer(32)),
      ]),
      step(W, get(SIZE)),
      step(B, integer(16)),
      step(Y, integer(4 * row)),
      step(GROUPS, integer(-1)),
    ]);
    return sized([list([[3, I32], [10, V128]]), body, 0x0b]);
  };
  const activations = names.map((name) => sized([list([[3, V128]]), codes[name], 0x0b]));
  return Uint8Array.from([
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, [[0x60, list([V128]), list([V128])], [0x60, list(Array(6).fill(I32)), list([])]]),
    section(2, [[text("m"), text("m"), 2, 0, 1]]),
    section(3, [...names.map(() => [0]), ...names.map(() => [1]), [1]]),
    section(7, [...names, "none"].map((name, i) => [text(name), 0, unsigned(names.length + i)])),
    section(10, [...activations, ...names.map((_, i) => layer(i)), layer(-1)]),
  ].flat(Infinity));
}
