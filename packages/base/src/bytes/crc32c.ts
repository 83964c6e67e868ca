/** CRC-32C (Castagnoli, reflected 0x82f63b78), slicing by eight. Prometheus' WAL, chunks and index use it. */
const TABLES = buildTables(0x82f63b78);
/** CRC-32 (IEEE 802.3, reflected 0xedb88320): memberlist's packet check. */
const IEEE = buildTables(0xedb88320);

function buildTables(polynomial: number): Uint32Array {
  const tables = new Uint32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ polynomial : c >>> 1;
    tables[n] = c >>> 0;
  }
  for (let slice = 1; slice < 8; slice++) {
    for (let n = 0; n < 256; n++) {
      const previous = tables[(slice - 1) * 256 + n]!;
      tables[slice * 256 + n] = (previous >>> 8) ^ tables[previous & 0xff]!;
    }
  }
  return tables;
}

function update(t: Uint32Array, crc: number, data: Uint8Array, start: number, end: number): number {
  let c = ~crc;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    const low = c ^ (data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24));
    c =
      t[1792 + (low & 0xff)]! ^
      t[1536 + ((low >>> 8) & 0xff)]! ^
      t[1280 + ((low >>> 16) & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + data[i + 4]!]! ^
      t[512 + data[i + 5]!]! ^
      t[256 + data[i + 6]!]! ^
      t[data[i + 7]!]!;
  }
  for (; i < end; i++) c = (c >>> 8) ^ t[(c ^ data[i]!) & 0xff]!;
  return ~c >>> 0;
}

/** CRC-32C of `data[start, end)`, continuing from `crc` (0 to begin). */
export function crc32c(data: Uint8Array, start = 0, end = data.length, crc = 0): number {
  return update(TABLES, crc, data, start, end);
}

/** CRC-32 (IEEE) of `data[start, end)`, continuing from `crc` (0 to begin). */
export function crc32(data: Uint8Array, start = 0, end = data.length, crc = 0): number {
  return update(IEEE, crc, data, start, end);
}
