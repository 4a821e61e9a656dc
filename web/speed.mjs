// Points a second at which the fields in .flr files are evaluated, by each kind of kernel.
//   node web/speed.mjs FILE.flr [MORE ...]     (relaxed SIMD: node --experimental-wasm-relaxed-simd)
// One core; the clock is the process's own, so that other work on the machine counts little.
import { readFileSync } from "node:fs";
import { decode } from "./src/field.js";

const POINTS = 4096;
const ROUNDS = 5;

const spent = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

for (const file of process.argv.slice(2)) {
  for (const kind of ["plain", "simd", "relaxed"]) {
    const field = decode(readFileSync(file));
    field.kernels = kind;
    const points = Float32Array.from({ length: 3 * POINTS }, (_, i) => Math.sin(12.9898 * i) * 0.5);
    field.level(points);
    if (field.program("trunk").kernels.name !== kind) {
      console.log(`${file} ${kind}: not in this Node`);
      continue;
    }
    const rates = Array.from({ length: ROUNDS }, () => {
      const began = spent();
      field.level(points);
      return POINTS / (spent() - began);
    }).sort((a, b) => a - b);
    const rounded = rates.map((rate) => Number(rate.toPrecision(3)).toLocaleString("en"));
    console.log(`${file} ${kind}: ${rounded[2]} points a second (${rounded[0]} to ${rounded[4]})`);
  }
}
