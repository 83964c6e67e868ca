const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;
const MASK = (1n << 64n) - 1n;

/** XXH64 with seed 0 (Yann Collet, xxHash specification 0.1.1). */
export function xxh64(data: Uint8Array): bigint {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const size = data.length;
  let offset = 0;
  let hash = P5;
  if (size >= 32) {
    let a = (P1 + P2) & MASK;
    let b = P2;
    let c = 0n;
    let d = -P1 & MASK;
    for (; offset + 32 <= size; offset += 32) {
      a = round(a, view.getBigUint64(offset, true));
      b = round(b, view.getBigUint64(offset + 8, true));
      c = round(c, view.getBigUint64(offset + 16, true));
      d = round(d, view.getBigUint64(offset + 24, true));
    }
    hash = (rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n)) & MASK;
    for (const lane of [a, b, c, d]) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK;
  }
  hash = (hash + BigInt(size)) & MASK;
  for (; offset + 8 <= size; offset += 8) {
    hash = (rotate(hash ^ round(0n, view.getBigUint64(offset, true)), 27n) * P1 + P4) & MASK;
  }
  if (offset + 4 <= size) {
    hash =
      (rotate(hash ^ ((BigInt(view.getUint32(offset, true)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    offset += 4;
  }
  for (; offset < size; offset++) {
    hash = (rotate(hash ^ ((BigInt(data[offset]!) * P5) & MASK), 11n) * P1) & MASK;
  }
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}

function round(lane: bigint, input: bigint): bigint {
  return (rotate((lane + input * P2) & MASK, 31n) * P1) & MASK;
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}
