import { isUtf8 } from 'node:buffer';
import { DecodeError } from '@pollux/base';
import type { Findings } from './finding.ts';
import { bytesHash } from './fingerprint.ts';
import type { IndexLayout } from './index-layout.ts';
import type { WindowReader } from './window-reader.ts';

/** What is kept of the symbols of an index: four bytes each. */
export type SymbolTable = {
  readonly count: number;
  readonly hashes: Uint32Array;
  /** The number of the empty string, or −1. */
  readonly empty: number;
};

/** Checks the symbols. Null when they cannot be trusted: no label can be told then. */
export function checkSymbols(
  reader: WindowReader,
  layout: IndexLayout,
  path: string,
  findings: Findings,
): SymbolTable | null {
  const at = layout.symbolsAt;
  try {
    reader.offset = at;
    const length = reader.u32();
    const end = at + 4 + length;
    if (length < 4 || end + 4 > layout.seriesAt) {
      findings.add(path, at, 'the symbols reach behind the end of their part');
      return null;
    }
    const crc = reader.crc(length);
    if (crc !== reader.u32()) {
      findings.add(path, at, 'wrong checksum of the symbols');
      return null;
    }
    const padding = reader.zeros(layout.seriesAt - reader.offset);
    if (padding >= 0) findings.add(path, padding, 'padding is not zero');
    reader.offset = at + 4;
    return readSymbols(reader, end, path, findings);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    findings.add(path, at, `the symbols do not decode: ${error.message}`);
    return null;
  }
}

function readSymbols(
  reader: WindowReader,
  end: number,
  path: string,
  findings: Findings,
): SymbolTable {
  const count = reader.u32();
  if (count > end - reader.offset) throw new DecodeError('more symbols than bytes', reader.offset);
  const hashes = new Uint32Array(count);
  let empty = -1;
  let previous: Buffer | null = null;
  for (let i = 0; i < count; i++) {
    const offset = reader.offset;
    const bytes = Buffer.from(reader.bytes(reader.uvarint()));
    if (reader.offset > end) throw new DecodeError('a symbol passes the end', offset);
    if (!isUtf8(bytes)) findings.add(path, offset, `symbol ${i} is no UTF-8`);
    if (previous !== null && previous.compare(bytes) >= 0)
      findings.add(path, offset, `symbol ${i} is not behind the one before it in order`);
    if (bytes.length === 0) empty = i;
    hashes[i] = bytesHash(bytes);
    previous = bytes;
  }
  if (reader.offset !== end) findings.add(path, reader.offset, 'bytes behind the last symbol');
  return { count, hashes, empty };
}
