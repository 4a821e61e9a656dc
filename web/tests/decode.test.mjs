// Golden files, and files with what fieldlr reads in them (FIELDLR_CASES: tests/codec/test_javascript.py).

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { decode } from "../src/field.js";

const GOLDEN = new URL("../../tests/golden/", import.meta.url);
const TOLERANCE = 1e-5;
const cases = process.env.FIELDLR_CASES;

function digest(field) {
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of field.tensors) {
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest("hex");
}

/** Equal but for a part of the larger of 1 and the value. */
function assertClose(got, expected, what) {
  assert.equal(got.length, expected.length, what);
  expected.forEach((value, i) => {
    const error = Math.abs(got[i] - value) / Math.max(1, Math.abs(value));
    assert.ok(error <= TOLERANCE, `${what} ${i}: ${got[i]} instead of ${value}`);
  });
}

const expected = JSON.parse(readFileSync(new URL("expected.json", GOLDEN)));
for (const [name, known] of Object.entries(expected)) {
  test(`golden ${name}`, () => {
    const field = decode(new Uint8Array(readFileSync(new URL(`${name}.flr`, GOLDEN))));
    assert.equal(digest(field), known.sha256);
    assert.deepEqual([...field.space.low, ...field.space.high], known.box);
    assert.equal(field.kind, known.kind);
    assert.equal(field.about.hash, known.content_hash);
    assert.equal(field.about.reading, known.reading);
    assert.equal(field.about.cameras?.length ?? 0, known.cameras);
    if (known.occupied !== null) {
      const occupied = field.occupied?.reduce((a, b) => a + b, 0) ?? 64 ** 3;
      const tolerance = field.cells.widened ? 100 : field.cells.limit ? 5 : 0;
      assert.ok(Math.abs(occupied - known.occupied) <= tolerance, `${occupied}`);
    }
  });
}

for (const kernels of ["plain", "simd"]) {
  test(`random files, ${kernels} kernels`, { skip: !cases && "needs FIELDLR_CASES" }, () => {
    const { points: count, sha256 } = JSON.parse(readFileSync(`${cases}/index.json`));
    sha256.forEach((known, number) => {
      const field = decode(new Uint8Array(readFileSync(`${cases}/${number}.flr`)));
      field.kernels = kernels;
      assert.equal(digest(field), known, `file ${number}`);
      const said = readFileSync(`${cases}/${number}.f32`);
      const floats = new Float32Array(new Uint8Array(said).buffer);
      let at = 0;
      const next = (width) => floats.subarray(at, (at += width * count));
      const [points, directions] = [next(3), next(3)];
      assertClose(field.level(points), next(1), `file ${number}, level`);
      assert.equal(field.programs.trunk.kernels.name, kernels);
      if (field.kind !== "photos") return;
      const [densities, colors] = field.at(points, directions);
      assertClose(densities, next(1), `file ${number}, density`);
      assertClose(colors, next(3), `file ${number}, colour`);
    });
  });
}
