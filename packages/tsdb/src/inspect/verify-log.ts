import type { Files } from '@pollux/base';
import type { Labels } from '@pollux/model';
import { CorruptionError } from '../errors.ts';
import { createSampleColumns, type SampleColumns } from '../format/wal-record.ts';
import { LogFile } from '../wal/log-sources.ts';
import { decodeRecord, type WalRecord } from '../wal/records.ts';
import { segmentName } from '../wal/segment.ts';
import { lastCheckpoint, listSegments } from '../wal/wal.ts';
import { Zstd } from '../wal/zstd.ts';
import type { Findings } from './finding.ts';
import { RefSet } from './ref-set.ts';

export type VerifyLogOptions = {
  readonly files: Files;
  /** Of the database. */
  readonly directory: string;
  readonly findings: Findings;
  readonly breathe: () => Promise<void>;
};

type State = VerifyLogOptions & {
  readonly known: RefSet;
  readonly columns: SampleColumns;
  readonly zstd: Zstd;
};

/**
 * Checks the log, its newest checkpoint, and the log of out-of-order samples: every fragment and record, and that each
 * reference was given to a series before it is used. Memory: bits for references, and one record.
 */
export async function verifyLogs(options: VerifyLogOptions): Promise<number> {
  const zstd = new Zstd();
  // Where it is not installed, a log that does not use it is verified all the same; a record that does says so.
  await zstd.load().catch(() => {});
  const state = { ...options, zstd, known: new RefSet(), columns: createSampleColumns(4096) };
  const { files, directory } = options;
  let records = 0;
  for (const name of ['wal', 'wbl']) {
    const path = `${directory}/${name}`;
    if (files.exists(path)) records += await verifyLog(state, path);
  }
  return records;
}

async function verifyLog(state: State, directory: string): Promise<number> {
  const { files, findings } = state;
  const checkpoint = lastCheckpoint(files, directory);
  let records = 0;
  for (const path of checkpoint?.files ?? []) records += await verifySegment(state, path, false);
  const segments = listSegments(files, directory).filter(
    (index) => checkpoint === null || index > checkpoint.index,
  );
  let expected = segments[0];
  for (const index of segments) {
    if (expected !== undefined && index !== expected)
      findings.add(directory, null, `segment ${segmentName(expected)} is missing`);
    const isLast = index === segments.at(-1);
    records += await verifySegment(state, `${directory}/${segmentName(index)}`, isLast);
    expected = index + 1;
  }
  return records;
}

async function verifySegment(state: State, path: string, isLast: boolean): Promise<number> {
  const { files, findings, zstd, breathe } = state;
  const { size } = files.stat(path);
  const file = new LogFile(files, path, zstd, ({ offset, endOffset, reason }) => {
    const isTorn = isLast && endOffset >= size;
    findings.add(path, offset, isTorn ? `${reason} (a torn end)` : reason);
  });
  let records = 0;
  try {
    for (;;) {
      const { offset } = file;
      const bytes = file.next(size);
      if (bytes === null) break;
      if (bytes === 'load') await file.loadZstd();
      else {
        records++;
        verifyRecord(state, bytes, path, offset);
      }
      await breathe();
    }
  } finally {
    file.close();
  }
  return records;
}

function verifyRecord(state: State, bytes: Uint8Array, path: string, offset: number): void {
  const { findings, columns, known } = state;
  try {
    const fault = faultOf(decodeRecord(bytes, columns, path), known);
    if (fault !== null) findings.add(path, offset, fault);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    findings.add(path, offset, 'a record does not decode');
  }
}

/** What is wrong with a decoded record; notes the series that it makes known. */
function faultOf(record: WalRecord, known: RefSet): string | null {
  switch (record.kind) {
    case 'series':
      return faultOfSeries(record.series, known);
    case 'samples': {
      const { refs, count } = record.samples;
      for (let i = 0; i < count; i++) if (!known.has(refs[i]!)) return unknownSeries(refs[i]!);
      return null;
    }
    case 'tombstones':
      for (const { minMs, maxMs } of record.tombstones) {
        if (minMs > maxMs) return 'a deleted interval ends before it begins';
      }
      return unknownIn(record.tombstones, known);
    case 'exemplars':
      return unknownIn(record.exemplars, known);
    case 'metadata':
      return unknownIn(record.metadata, known);
    case 'histograms':
      return unknownIn(record.histograms, known);
    case 'other':
      // Later kinds are skipped by every reader that does not know them.
      return null;
  }
}

function faultOfSeries(
  series: readonly { readonly ref: number; readonly labels: Labels }[],
  known: RefSet,
): string | null {
  let fault: string | null = null;
  for (const { ref, labels } of series) {
    if (ref <= 0) fault = `series reference ${ref} is out of range`;
    else known.add(ref);
    if (labels.isEmpty) fault = `series ${ref} has no label`;
  }
  return fault;
}

function unknownIn(list: readonly { readonly ref: number }[], known: RefSet): string | null {
  const unknown = list.find(({ ref }) => !known.has(ref));
  return unknown === undefined ? null : unknownSeries(unknown.ref);
}

function unknownSeries(ref: number): string {
  return `names series ${ref}, which no record before it describes`;
}
