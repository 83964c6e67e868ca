import * as fs from 'node:fs';
import * as path from 'node:path';
import { SeededRandom } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Registry, renderText } from '@pollux/telemetry';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createSampleColumns,
  encodeSamples,
  encodeSeries,
  growSampleColumns,
  recordBytes,
} from '../format/wal-record.ts';
import {
  bitsOf,
  openTsdb,
  query,
  removeDirectory,
  series,
  T0,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { PAGE_BYTES, segmentName } from './segment.ts';
import { SegmentWriter } from './segment-writer.ts';

const files = new NodeFiles();
const SERIES = 12;
/** Random damages; more by hand: TSDB_RUNS=2000 with --testTimeout. */
const RUNS = Number(process.env.TSDB_RUNS ?? 15);

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

type Sample = { readonly ref: number; readonly timestampMs: number; readonly value: number };
/** A record and the pages of the log that it touches. */
type Placed = {
  readonly pages: ReadonlySet<string>;
  /** Series that it names, or samples that it brings. */
  readonly refs: readonly number[];
  readonly samples: readonly Sample[];
};

/** A value tells series and time: a sample under another label or time is seen to be wrong. */
function valueFor(ref: number, timestampMs: number): number {
  return ref * 1e9 + (timestampMs - T0);
}

/** A log of series records and samples, some of them larger than a page. */
function writeLog(wal: string, random: SeededRandom, isCompressed: boolean): Placed[] {
  fs.mkdirSync(wal, { recursive: true });
  const compression = isCompressed ? 'snappy' : 'none';
  const segmentBytes = 4 * PAGE_BYTES;
  const writer = new SegmentWriter({ files, directory: wal, segmentBytes, compression }, 0);
  const placed: Placed[] = [];
  const write = (bytes: Uint8Array, refs: number[], samples: Sample[]): void => {
    const before = writer.position;
    writer.write([bytes]);
    const { segment, offset } = writer.position;
    const start = segment === before.segment ? before.offset : 0;
    const pages = new Set<string>();
    for (let at = start - (start % PAGE_BYTES); at < offset; at += PAGE_BYTES) {
      pages.add(`${segment}/${at / PAGE_BYTES}`);
    }
    placed.push({ pages, refs, samples });
  };
  let nowMs = T0;
  for (let ref = 1; ref <= SERIES; ) {
    const named: number[] = [];
    for (let i = random.below(4); i >= 0 && ref <= SERIES; i--) named.push(ref++);
    const records = named.map((one) => ({ ref: one, labels: series(one) }));
    write(
      recordBytes((target) => encodeSeries(target, records)),
      named,
      [],
    );
    for (let batch = random.below(16); batch >= 0; batch--) {
      const samples: Sample[] = [];
      const rounds = random.below(8) === 0 ? 600 : 1 + random.below(120);
      for (let round = 0; round < rounds; round++) {
        nowMs += 1 + random.below(3);
        for (let one = 1; one < ref; one++) {
          samples.push({ ref: one, timestampMs: nowMs, value: valueFor(one, nowMs) });
        }
      }
      write(samplesRecord(samples), [], samples);
    }
  }
  return placed;
}

function samplesRecord(samples: readonly Sample[]): Uint8Array {
  const columns = createSampleColumns(16);
  const words = new Uint32Array(2);
  const double = new Float64Array(words.buffer);
  for (const { ref, timestampMs, value } of samples) {
    growSampleColumns(columns, columns.count + 1);
    const at = columns.count++;
    double[0] = value;
    columns.refs[at] = ref;
    columns.timestampsMs[at] = timestampMs;
    columns.valueWords.set(words, at * 2);
  }
  return recordBytes((target) => encodeSamples(target, columns, 0, columns.count));
}

/** Where the last byte stands that is not zero. */
function contentEnd(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}

/**
 * Flips bits, zeros stretches and pages, writes rubbish; returns the pages that were touched, and whether zeros took the end of
 * a segment's last page, where a writer leaves zeros too: nobody can see that.
 */
function damage(wal: string, random: SeededRandom): { touched: Set<string>; isHidden: boolean } {
  const touched = new Set<string>();
  const before = new Map(
    fs.readdirSync(wal).map((name) => [name, contentEnd(fs.readFileSync(path.join(wal, name)))]),
  );
  const names = fs.readdirSync(wal).sort();
  for (let blows = random.below(4); blows >= 0; blows--) {
    const name = names[random.below(names.length)]!;
    const bytes = fs.readFileSync(path.join(wal, name));
    const at = random.below(bytes.length);
    const kind = random.below(4);
    const isPage = kind === 2;
    const start = isPage ? at - (at % PAGE_BYTES) : at;
    const length = [1, 1 + random.below(300), PAGE_BYTES, 1 + random.below(40)][kind]!;
    const end = Math.min(bytes.length, start + length);
    for (let i = start; i < end; i++) {
      if (kind === 0) bytes[i]! ^= 1 << random.below(8);
      else if (kind === 3) bytes[i] = random.below(256);
      else bytes[i] = 0;
      touched.add(`${Number(name)}/${Math.floor(i / PAGE_BYTES)}`);
    }
    fs.writeFileSync(path.join(wal, name), bytes);
  }
  const isHidden = [...before].some(([name, was]) => {
    const bytes = fs.readFileSync(path.join(wal, name));
    const now = contentEnd(bytes);
    return now < was && now > bytes.length - PAGE_BYTES;
  });
  return { touched, isHidden };
}

function metric(registry: Registry, name: string): number {
  const line = renderText(registry.gather())
    .split('\n')
    .find((text) => text.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
}

describe('a damaged log', () => {
  it('gives every record outside of the damaged pages, and never a wrong sample', async () => {
    let damagedRuns = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.boolean(), async (seed, isCompressed) => {
        const random = new SeededRandom(seed);
        const data = path.join(directory, String(seed));
        removeDirectory(data);
        const placed = writeLog(path.join(data, 'wal'), random, isCompressed);
        const { touched, isHidden } = damage(path.join(data, 'wal'), random);
        const isWhole = ({ pages }: Placed): boolean =>
          [...pages].every((page) => !touched.has(page));
        const named = new Set(placed.filter(isWhole).flatMap(({ refs }) => refs));

        const registry = new Registry();
        const db = await openTsdb(data, { registry });
        const answer = await query(db);
        const found = new Map<string, Set<number>>();
        for (let ref = 1; ref <= SERIES; ref++) {
          const points = answer.get(series(ref).toString()) ?? [];
          found.set(String(ref), new Set(points.map(({ timestampMs }) => timestampMs)));
          const wrong = points.filter(
            ({ timestampMs, bits }) => bits !== bitsOf(valueFor(ref, timestampMs)),
          );
          expect(wrong).toEqual([]);
        }
        expect([...answer.keys()].every((labels) => /i="\d+"/.test(labels))).toBe(true);
        for (const record of placed.filter(isWhole)) {
          const missing = record.samples.filter(
            ({ ref, timestampMs }) => named.has(ref) && !found.get(String(ref))!.has(timestampMs),
          );
          expect(missing).toEqual([]);
        }
        const isLossy = placed.some((record) => !isWhole(record));
        const counted = metric(registry, 'prometheus_tsdb_wal_corruptions_total');
        // Nothing is missing outside of the times that are said to be lost, but for a torn end of the log.
        const lostTimes = db.lostTimes();
        const newestMs = Math.max(...[...answer.values()].flat().map((point) => point.timestampMs));
        const untold = placed.flatMap(({ samples }) =>
          samples.filter(
            ({ ref, timestampMs }) =>
              timestampMs <= newestMs &&
              !found.get(String(ref))!.has(timestampMs) &&
              !lostTimes.some(
                ({ startMs, endMs }) => timestampMs >= startMs && timestampMs < endMs,
              ),
          ),
        );
        if (!isHidden) expect(untold).toEqual([]);
        // Zeros over zeros, and zeros at the very end, are no damage that anybody could see.
        if (counted > 0) damagedRuns++;
        if (!isLossy) expect(counted).toBe(0);
        await db.close();
        removeDirectory(data);
      }),
      { numRuns: RUNS },
    );
    expect(damagedRuns).toBeGreaterThan(RUNS / 3);
  });

  it('in the middle of a segment keeps what follows, where Prometheus drops it, and says where it is', async () => {
    const wal = path.join(directory, 'wal');
    const placed = writeLog(wal, new SeededRandom(7), true);
    const name = path.join(wal, segmentName(0));
    const bytes = fs.readFileSync(name);
    bytes.fill(0xa5, PAGE_BYTES + 100, PAGE_BYTES + 120);
    fs.writeFileSync(name, bytes);
    const lines: string[] = [];
    const registry = new Registry();
    const db = await openTsdb(directory, { lines, registry });
    const newest = Math.max(
      ...placed.flatMap(({ samples }) => samples.map(({ timestampMs }) => timestampMs)),
    );
    const answer = await query(db);
    expect(Math.max(...[...answer.values()].flat().map(({ timestampMs }) => timestampMs))).toBe(
      newest,
    );
    expect(metric(registry, 'prometheus_tsdb_wal_corruptions_total')).toBe(1);
    const lost = metric(registry, 'pollux_tsdb_wal_lost_bytes_total');
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(3 * PAGE_BYTES);
    expect(lines.join('\n')).toContain(segmentName(0));
    expect(lines.join('\n')).toContain('damage in the log was passed over');
    await db.close();
  });

  it('with an unreadable page loses that page only, and is not cut', async () => {
    const wal = path.join(directory, 'wal');
    writeLog(wal, new SeededRandom(3), true);
    const last = fs.readdirSync(wal).sort().at(-1)!;
    const size = fs.statSync(path.join(wal, last)).size;
    const failing = new NodeFiles();
    const open = failing.open.bind(failing);
    const lastPage = Math.floor((size - 1) / PAGE_BYTES) * PAGE_BYTES;
    failing.open = (name, mode) => {
      const file = open(name, mode);
      if (!name.endsWith(last) || mode !== 'r') return file;
      const read = file.read.bind(file);
      file.read = (target, offset, length, position) => {
        if (position === lastPage) throw Object.assign(new Error('i/o error'), { code: 'EIO' });
        return read(target, offset, length, position);
      };
      return file;
    };
    const lines: string[] = [];
    const db = await openTsdb(directory, { files: failing, lines });
    expect(lines.join('\n')).toContain('the page cannot be read');
    await db.close();
    expect(fs.statSync(path.join(wal, last)).size).toBe(size);
  });
});

describe('samples whose series record comes after them', () => {
  it('are given to their series, in order; those of a series that never comes are counted', async () => {
    const wal = path.join(directory, 'wal');
    fs.mkdirSync(wal, { recursive: true });
    const writer = new SegmentWriter({ files, directory: wal }, 0);
    const sample = (ref: number, step: number): Sample => ({
      ref,
      timestampMs: T0 + step,
      value: valueFor(ref, T0 + step),
    });
    writer.write([samplesRecord([sample(5, 1), sample(9, 1)])]);
    writer.write([samplesRecord([sample(5, 2), sample(9, 2)])]);
    writer.write([recordBytes((target) => encodeSeries(target, [{ ref: 5, labels: series(5) }]))]);
    writer.write([samplesRecord([sample(5, 3)])]);
    await writer.close();
    const registry = new Registry();
    const db = await openTsdb(directory, { registry });
    const answer = await query(db);
    expect([...answer.keys()]).toEqual([series(5).toString()]);
    expect(answer.get(series(5).toString())!.map(({ timestampMs }) => timestampMs - T0)).toEqual([
      1, 2, 3,
    ]);
    expect(metric(registry, 'pollux_tsdb_wal_lost_series_total')).toBe(1);
    // A new series must not take the reference of the lost one.
    const appender = db.appender();
    expect(appender.series(series(10))).toBeGreaterThan(9);
    appender.rollback();
    await db.close();
  });
});
