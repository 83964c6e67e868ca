import { crc32c, DecodeError, type Files } from '@pollux/base';
import { chunkTimes } from './chunk-times.ts';
import type { Findings } from './finding.ts';
import { WindowReader } from './window-reader.ts';

const MAGIC = 0x0130bc91;
const VERSION = 1;
const HEADER_BYTES = 8;
/** Reference, first and last time, encoding. */
const FIXED_BYTES = 25;
/** Set in the encoding of a chunk of out-of-order samples. */
const OUT_OF_ORDER_FLAG = 0x80;

/**
 * Checks the files of full head chunks (`chunks_head`): each a header, then chunks of a series reference u64, first and
 * last time i64, encoding u8, length uvarint, data and a CRC-32C of all that. Zeros at the end of a file are room that was
 * taken in advance. Gives the number of chunks.
 */
export async function verifyHeadChunks(
  files: Files,
  directory: string,
  findings: Findings,
  breathe: () => Promise<void>,
): Promise<number> {
  if (!files.exists(directory)) return 0;
  let chunks = 0;
  for (const name of files.list(directory).filter((file) => /^\d{6}$/.test(file))) {
    const path = `${directory}/${name}`;
    const file = files.open(path, 'r');
    try {
      const reader = new WindowReader(file);
      // A crash may leave a file that was made and not written.
      if (reader.size === 0) continue;
      if (reader.u32() !== MAGIC) findings.add(path, 0, 'is no file of head chunks');
      if (reader.u8() !== VERSION) findings.add(path, 4, 'has an unknown version');
      const padding = reader.zeros(HEADER_BYTES - reader.offset);
      if (padding >= 0) findings.add(path, padding, 'padding is not zero');
      while (reader.remaining > 0) {
        if (isEmptyRest(reader)) break;
        checkChunk(reader, path, findings);
        chunks++;
        await breathe();
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      findings.add(path, error.offset, `the chunks do not decode: ${error.message}`);
    } finally {
      file.close();
    }
  }
  return chunks;
}

/** True when the series reference is zero, which no series has, and all behind it too. */
function isEmptyRest(reader: WindowReader): boolean {
  const start = reader.offset;
  const isZero = reader.zeros(Math.min(8, reader.remaining)) < 0;
  const isEmpty = isZero && reader.zeros(reader.remaining) < 0;
  reader.offset = start;
  return isEmpty;
}

function checkChunk(reader: WindowReader, path: string, findings: Findings): void {
  const start = reader.offset;
  reader.bytes(FIXED_BYTES);
  const dataLength = reader.uvarint();
  const dataAt = reader.offset - start;
  reader.offset = start;
  const bytes = reader.bytes(dataAt + dataLength + 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = dataAt + dataLength;
  if (crc32c(bytes, 0, end) !== view.getUint32(end)) {
    findings.add(path, start, 'wrong checksum of a head chunk');
    return;
  }
  const minMs = Number(view.getBigInt64(8));
  const maxMs = Number(view.getBigInt64(16));
  try {
    const times = chunkTimes(bytes[24]! & ~OUT_OF_ORDER_FLAG, bytes.slice(dataAt, end));
    if (times === null) findings.add(path, start, `has encoding ${bytes[24]}, which is not known`);
    else if (times.timestampsMs[0] !== minMs || times.timestampsMs[times.count - 1] !== maxMs)
      findings.add(path, start, `does not span ${minMs}…${maxMs} as it says`);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    findings.add(path, start, `does not decode: ${error.message}`);
  }
}
