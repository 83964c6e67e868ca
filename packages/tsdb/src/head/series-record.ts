import { type ByteReader, DecodeError } from '@pollux/base';
import type { Symbols } from '@pollux/index';
import { Labels } from '@pollux/model';

/** The labels of one series as symbols, name, value, name, value … in the order of the names; lent. */
export type SymbolLabels = { symbols: Uint32Array; size: number };

export function createSymbolLabels(): SymbolLabels {
  return { symbols: new Uint32Array(64), size: 0 };
}

/**
 * Reads the labels of one series of a log record, straight from bytes to symbols: replaying a million series would else
 * make ten million strings that are known already. Throws DecodeError.
 */
export function readSymbolLabels(source: ByteReader, symbols: Symbols, target: SymbolLabels): void {
  const count = source.uvarint();
  // Two lengths of at least a byte each: a count beyond that is no count.
  if (count > source.remaining / 2) throw new DecodeError('more labels than bytes', source.offset);
  if (count * 2 > target.symbols.length) target.symbols = new Uint32Array(count * 4);
  const begin = source.offset;
  const { data } = source;
  let nameStart = -1;
  let nameEnd = -1;
  let isSorted = true;
  for (let i = 0; i < count; i++) {
    const nameLength = source.uvarint();
    const start = source.offset;
    source.skip(nameLength);
    const end = source.offset;
    if (nameStart >= 0 && !isBefore(data, nameStart, nameEnd, start, end)) isSorted = false;
    nameStart = start;
    nameEnd = end;
    target.symbols[i * 2] = symbols.idOfBytes(data, start, end);
    const valueLength = source.uvarint();
    const valueStart = source.offset;
    source.skip(valueLength);
    if (valueLength === 0) isSorted = false;
    target.symbols[i * 2 + 1] = symbols.idOfBytes(data, valueStart, source.offset);
  }
  target.size = count * 2;
  if (isSorted) return;
  source.offset = begin;
  readUnusual(source, count, symbols, target);
}

/** Labels out of order, given twice or without a value: no server writes them, and Labels knows what they mean. */
function readUnusual(
  source: ByteReader,
  count: number,
  symbols: Symbols,
  target: SymbolLabels,
): void {
  const pairs: [string, string][] = [];
  for (let i = 0; i < count; i++) pairs.push([source.uvarintText(), source.uvarintText()]);
  const labels = Labels.from(pairs);
  target.size = 0;
  for (const [name, value] of labels) {
    target.symbols[target.size++] = symbols.idOf(name);
    target.symbols[target.size++] = symbols.idOf(value);
  }
}

/** Whether the bytes `[start, end)` sort before `[otherStart, otherEnd)`. */
export function isBefore(
  data: Uint8Array,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
): boolean {
  const length = Math.min(end - start, otherEnd - otherStart);
  for (let i = 0; i < length; i++) {
    const difference = data[start + i]! - data[otherStart + i]!;
    if (difference !== 0) return difference < 0;
  }
  return end - start < otherEnd - otherStart;
}
