// The entropy decoder: asymmetric numeral systems, a state of 64 bits and words of 32.
//
// The state is two numbers, `high` and `low`, of 32 bits each; every product is below 2^53.

import { broken } from "./bytes.js";
import { TOTAL, TOTAL_BITS } from "./laws.js";

const WORD = 2 ** 32;

export class Decoder {
  constructor(bytes) {
    if (bytes.length && !bytes[bytes.length - 1]) throw broken("its payload ends in zero bytes");
    const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4));
    padded.set(bytes);
    const view = new DataView(padded.buffer);
    this.words = Uint32Array.from({ length: padded.length / 4 }, (_, i) => view.getUint32(4 * i, true));
    this.left = this.words.length;
    this.high = 0;
    this.low = this.left ? this.words[--this.left] : 0;
    this.fill();
  }

  fill() {
    if (this.high === 0 && this.left) {
      this.high = this.low;
      this.low = this.words[--this.left];
    }
  }

  /** state = (state >> 24) parts + place - start, the place being state mod 2^24. */
  advance(parts, within) {
    const upper = (this.high >>> 16) * parts;
    const middle = ((this.high & 0xffff) << 8) | (this.low >>> TOTAL_BITS);
    const lower = (upper % 256) * TOTAL + middle * parts + within;
    this.high = Math.floor(upper / 256) + Math.floor(lower / WORD);
    this.low = lower % WORD;
    this.fill();
  }

  /** `count` symbols, each times `factor`, added to `out`; `parts` is their table. */
  take(count, parts, out, factor) {
    const ends = new Int32Array(parts.length);
    for (let k = 0, sum = 0; k < parts.length; k++) ends[k] = sum += parts[k];
    for (let i = 0; i < count; i++) {
      const place = this.low & (TOTAL - 1);
      let first = 0;
      for (let last = ends.length - 1; first < last; ) {
        const half = (first + last) >> 1;
        if (ends[half] > place) last = half;
        else first = half + 1;
      }
      out[i] += first * factor;
      this.advance(parts[first], place - ends[first] + parts[first]);
    }
  }

  /** `count` numbers of so many equally probable bits, added to `out`. */
  takeBits(count, bits, out) {
    const parts = TOTAL >> bits;
    for (let i = 0; i < count; i++) {
      const place = this.low & (TOTAL - 1);
      out[i] += place >> (TOTAL_BITS - bits);
      this.advance(parts, place & (parts - 1));
    }
  }

  /** Throws unless the symbols taken are all that there is. */
  close() {
    if (this.high || this.low || this.left) throw broken("its payload does not end where it should");
  }
}
