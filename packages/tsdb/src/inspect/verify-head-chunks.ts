import { ByteReader, crc32c, DecodeError, type Files } from '@pollux/base';
import {
  decodePrefix,
  ENTRY_PREFIX_MAX_BYTES,
  HEAD_CHUNKS_HEADER_BYTES,
  headChunkFileNumber,
  isFileHeader,
} from '../head-chunks/entry.ts';
import { chunkTimes } from './chunk-times.ts';
import type { Findings } from './finding.ts';
import { WindowReader } from './window-reader.ts';

/** Magic number and version. */
const FILE_PREFIX_BYTES = 5;
const CRC_BYTES = 4;

/** Checks the files of head chunks (layout in `head-chunk.md`), each chunk against its entry. Gives their number. */
export async function verifyHeadChunks(
  files: Files,
  directory: string,
  findings: Findings,
  breathe: () => Promise<void>,
): Promise<number> {
  if (!files.exists(directory)) return 0;
  let chunks = 0;
  for (const name of files.list(directory).filter((file) => headChunkFileNumber(file) >= 0)) {
    const path = `${directory}/${name}`;
    const file = files.open(path, 'r');
    try {
      const reader = new WindowReader(file);
      // A crash may leave a file that was made and not written.
      if (reader.size === 0) continue;
      if (!isFileHeader(new ByteReader(reader.bytes(HEAD_CHUNKS_HEADER_BYTES))))
        findings.add(path, 0, 'is no head chunk file of version 1');
      reader.offset = FILE_PREFIX_BYTES;
      const padding = reader.zeros(HEAD_CHUNKS_HEADER_BYTES - FILE_PREFIX_BYTES);
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
  const at = reader.offset;
  const start = Math.min(ENTRY_PREFIX_MAX_BYTES, reader.remaining);
  const { end } = decodePrefix(new ByteReader(reader.bytes(start)));
  reader.offset = at;
  const bytes = reader.bytes(end + CRC_BYTES);
  if (crc32c(bytes, 0, end) !== new ByteReader(bytes, end).u32()) {
    findings.add(path, at, 'wrong checksum of a head chunk');
    return;
  }
  const entry = decodePrefix(new ByteReader(bytes));
  const { minMs, maxMs, encoding } = entry;
  try {
    const times = chunkTimes(encoding, bytes.slice(entry.start, end));
    if (times === null) findings.add(path, at, `has encoding ${encoding}, which is not known`);
    else if (times.timestampsMs[0] !== minMs || times.timestampsMs[times.count - 1] !== maxMs)
      findings.add(path, at, `does not span ${minMs}…${maxMs} as it says`);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    findings.add(path, at, `does not decode: ${error.message}`);
  }
}
