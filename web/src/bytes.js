// Reading the bytes of a .flr file, one small value after the other (docs/format.md).

const MOST_WHOLE_BYTES = 9;
const MOST_EXPONENT = 400;

/** The error of a file that cannot be what it says it is. */
export const broken = (why) =>
  new Error(`this .flr file is corrupt: ${why}. Copy it again or create it anew.`);

export class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = 0;
  }

  take(count) {
    if (count > this.bytes.length - this.position) throw broken("it ends inside its head");
    this.position += count;
    return this.bytes.subarray(this.position - count, this.position);
  }

  rest() {
    return this.take(this.bytes.length - this.position);
  }

  byte() {
    return this.take(1)[0];
  }

  /** Seven bits a byte, the lowest first, as a BigInt: up to 63 bits. */
  long() {
    for (let index = 0, value = 0n; index < MOST_WHOLE_BYTES; index++) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << BigInt(7 * index);
      if (byte < 128) return value;
    }
    throw broken("an integer in it does not end");
  }

  whole() {
    return Number(this.long());
  }

  /** 0, -1, 1, -2, ... are stored as 0, 1, 2, 3, ... */
  signedLong() {
    const value = this.long();
    return value & 1n ? -((value + 1n) >> 1n) : value >> 1n;
  }

  signed() {
    return Number(this.signedLong());
  }

  decimal() {
    const digits = this.signedLong();
    const exponent = digits ? this.signed() : 0;
    const value = Math.abs(exponent) <= MOST_EXPONENT ? Number(`${digits}e${exponent}`) : Infinity;
    if (!Number.isFinite(value)) throw broken("a decimal in it is too large");
    return value;
  }

  /** Numbers of a DataView type: "Int16", "Float32" or "Float64". */
  numbers(count, type) {
    const size = { Int16: 2, Float32: 4, Float64: 8 }[type];
    const start = this.position;
    this.take(count * size);
    return Array.from({ length: count }, (_, i) => this.view[`get${type}`](start + i * size, true));
  }

  finite(count, type) {
    const values = this.numbers(count, type);
    if (!values.every(Number.isFinite)) throw broken("it contains NaN or infinity");
    return values;
  }
}

/** The CRC-32 of bytes. */
export function crc32(bytes) {
  const table = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    table[i] = value;
  }
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}
