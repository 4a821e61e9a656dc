// The readout of frames a second.

import assert from "node:assert/strict";
import { test } from "node:test";

import { rateOf } from "../src/page/rate.js";

const every = (gap, count, from = 0) => Array.from({ length: count }, (_, i) => from + gap * i);

test("even frames have their rate, over the last two seconds alone", () => {
  assert.equal(rateOf(every(20, 200), 3990), "50 frames/s");
  assert.equal(rateOf([...every(5, 100), ...every(250, 5, 3000)], 4010), "4.0 frames/s");
});

test("a view that nobody moves is at rest", () => {
  assert.equal(rateOf([], 0), "at rest");
  assert.equal(rateOf(every(10, 50), 3000), "at rest");
  assert.equal(rateOf([2999], 3000), "at rest");
});
