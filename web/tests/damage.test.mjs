// Damaged files: a field where fieldlr reads one, else an Error with a sentence; quick, in little memory.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { decode } from "../src/field.js";

const cases = process.env.FIELDLR_CASES;
const MOST_SECONDS = 10;
const MOST_BYTES = 2 ** 28;

test("damaged files", { skip: !cases && "needs FIELDLR_CASES" }, () => {
  const corpus = new Uint8Array(readFileSync(`${cases}/corpus.bin`));
  let at = 0;
  JSON.parse(readFileSync(`${cases}/corpus.json`)).forEach(([length, isField], number) => {
    const data = corpus.slice(at, (at += length));
    const began = performance.now();
    let field, error;
    try {
      field = decode(data);
    } catch (thrown) {
      error = thrown;
    }
    if (error) {
      assert.equal(error.constructor, Error, `file ${number}: ${error.stack}`);
      assert.match(error.message, /\.$/);
    }
    assert.equal(!!field, isField, `file ${number}: ${error?.message ?? "read as a field"}`);
    assert.ok(performance.now() - began < 1e3 * MOST_SECONDS, `file ${number} took long`);
    assert.ok(process.memoryUsage().arrayBuffers < MOST_BYTES, `file ${number} took much memory`);
  });
});
