import { ByteReader, crc32c, DecodeError } from '@pollux/base';
import type { Findings } from './finding.ts';
import { bytesHash, type Fingerprint } from './fingerprint.ts';
import type { IndexLayout } from './index-layout.ts';
import type { SeriesSet } from './series-set.ts';
import type { WindowReader } from './window-reader.ts';

const POSTINGS_ALIGN = 4;
const PAIR_ENTRY = 2;

export type PostingsCheck = {
  readonly layout: IndexLayout;
  readonly path: string;
  readonly findings: Findings;
  /** References of all series. */
  readonly series: SeriesSet;
  /** Label pair and reference of all series' entries. */
  readonly pairs: Fingerprint;
  /** The same, as the lists say it; filled here. */
  readonly listed: Fingerprint;
  /** Lets other work run. */
  readonly breathe: () => Promise<void>;
};

/**
 * Checks the table of postings and every list that it names: order, checksums, and that they lie one behind the other with
 * nothing between. Two readers, since both parts are walked at once.
 */
export async function checkPostings(
  table: WindowReader,
  lists: WindowReader,
  check: PostingsCheck,
): Promise<void> {
  const { layout, path, findings } = check;
  checkOldLabelParts(lists, check);
  const at = layout.postingsTableAt;
  const faults = findings.count;
  try {
    table.offset = at;
    const length = table.u32();
    if (at + 4 + length + 4 !== layout.tocAt) {
      findings.add(path, at, 'the postings table does not end at the table of contents');
      return;
    }
    const crc = table.crc(length);
    if (crc !== table.u32()) {
      findings.add(path, at, 'wrong checksum of the postings table');
      return;
    }
    table.offset = at + 4;
    await walkTable(table, lists, at + 4 + length, check);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    findings.add(path, error.offset, `the postings do not decode: ${error.message}`);
    return;
  }
  if (findings.count === faults && !check.listed.equals(check.pairs))
    findings.add(path, layout.postingsAt, 'the postings list other series than have the labels');
}

async function walkTable(
  table: WindowReader,
  lists: WindowReader,
  end: number,
  check: PostingsCheck,
): Promise<void> {
  const { layout, path, findings } = check;
  const count = table.u32();
  let previousName = Buffer.alloc(0);
  let previousValue = Buffer.alloc(0);
  let next = layout.postingsAt;
  for (let i = 0; i < count; i++) {
    const entryAt = table.offset;
    if (table.u8() !== PAIR_ENTRY) throw new DecodeError('no pair of name and value', entryAt);
    const name = Buffer.from(table.bytes(table.uvarint()));
    const value = Buffer.from(table.bytes(table.uvarint()));
    const listAt = table.uvarint();
    if (table.offset > end) throw new DecodeError('an entry passes the end', entryAt);
    const order = previousName.compare(name) || previousValue.compare(value);
    if (i > 0 && order >= 0) findings.add(path, entryAt, 'the postings table is not in order');
    if (i === 0 && (name.length > 0 || value.length > 0))
      findings.add(path, entryAt, 'the postings table does not begin with all series');
    if (listAt !== aligned(next)) {
      findings.add(path, entryAt, `names offset ${listAt}, where no postings list begins`);
      if (listAt < layout.postingsAt || listAt >= layout.labelTableAt) return;
    }
    const pair = i === 0 ? null : { name: bytesHash(name), value: bytesHash(value) };
    next = checkList(lists, next, listAt, pair, check);
    previousName = name;
    previousValue = value;
    await check.breathe();
  }
  if (table.offset !== end) findings.add(path, table.offset, 'bytes behind the postings table');
  lists.offset = next;
  const padding = lists.zeros(Math.max(0, layout.labelTableAt - next));
  if (padding >= 0) findings.add(path, padding, 'bytes that belong to no postings list');
}

/** Checks the list at `at`, behind the one that ended at `previousEnd`, and gives its end. */
function checkList(
  lists: WindowReader,
  previousEnd: number,
  at: number,
  pair: { readonly name: number; readonly value: number } | null,
  check: PostingsCheck,
): number {
  const { path, findings, series, listed, layout } = check;
  if (at >= previousEnd && at - previousEnd < POSTINGS_ALIGN) {
    lists.offset = previousEnd;
    const padding = lists.zeros(at - previousEnd);
    if (padding >= 0) findings.add(path, padding, 'padding is not zero');
  }
  lists.offset = at;
  const length = lists.u32();
  if (length < 4 || lists.offset + length + 4 > layout.labelTableAt)
    throw new DecodeError('a postings list passes the end of its part', at);
  const bytes = lists.bytes(length + 4);
  const end = lists.offset;
  if (crc32c(bytes, 0, length) !== new ByteReader(bytes, length).u32()) {
    findings.add(path, at, 'wrong checksum of a postings list');
    return end;
  }
  const source = new ByteReader(bytes, 0, length);
  const count = source.u32();
  if (count * 4 !== source.remaining) {
    findings.add(path, at, 'a postings list has another length than its number of series');
    return end;
  }
  let previous = -1;
  for (let i = 0; i < count; i++) {
    const ref = source.u32();
    if (ref <= previous) findings.add(path, at, 'a postings list is not in order');
    if (!series.has(ref))
      findings.add(path, at, `a postings list names series ${ref}, which is none`);
    if (pair !== null) listed.add(pair.name, pair.value, ref);
    previous = ref;
  }
  if (pair === null && count !== series.count)
    findings.add(path, at, `the list of all series has ${count} of ${series.count}`);
  return end;
}

/** Label indices and their table: nobody reads them any more, but a fault in them is a fault of the file. */
function checkOldLabelParts(reader: WindowReader, check: PostingsCheck): void {
  const { layout, path, findings } = check;
  try {
    for (let at = layout.labelIndicesAt; at < layout.postingsAt; ) {
      reader.offset = at;
      const padding = reader.zeros(Math.min(aligned(at), layout.postingsAt) - at);
      if (padding >= 0) findings.add(path, padding, 'padding is not zero');
      if (aligned(at) >= layout.postingsAt) break;
      at = checkSection(reader, aligned(at), layout.postingsAt, check);
    }
    if (layout.labelTableAt < layout.postingsTableAt) {
      const end = checkSection(reader, layout.labelTableAt, layout.postingsTableAt, check);
      if (end !== layout.postingsTableAt) findings.add(path, end, 'bytes that belong to no part');
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    findings.add(path, error.offset, `the label indices do not decode: ${error.message}`);
  }
}

/** A part with a length in front and a checksum behind; gives its end. */
function checkSection(
  reader: WindowReader,
  at: number,
  limit: number,
  { path, findings }: PostingsCheck,
): number {
  reader.offset = at;
  const length = reader.u32();
  if (reader.offset + length + 4 > limit) throw new DecodeError('a part passes its end', at);
  const crc = reader.crc(length);
  if (crc !== reader.u32()) findings.add(path, at, 'wrong checksum of a label index');
  return reader.offset;
}

function aligned(at: number): number {
  return at + ((POSTINGS_ALIGN - (at % POSTINGS_ALIGN)) % POSTINGS_ALIGN);
}
