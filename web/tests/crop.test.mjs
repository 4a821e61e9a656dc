// The text of a crop box.

import assert from "node:assert/strict";
import { test } from "node:test";

import { numbersOf } from "../src/page/crop.js";

test("six numbers are a box where each end is beyond its beginning", () => {
  assert.deepEqual(numbersOf(" -1 0 .5  2,3 4e1"), [-1, 0, 0.5, 2, 3, 40]);
  for (const text of ["", "1 2 3", "0 0 0 1 1 0", "0 0 0 1 1 x", "0 0 0 1 1 1 1", "0 0 0 1 1 Infinity"]) {
    assert.equal(numbersOf(text), null, text);
  }
});
