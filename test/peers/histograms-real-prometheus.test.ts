import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { decodeHistograms, HistogramChunk } from '@pollux/kernels';
import { type FloatHistogram, Labels, Matcher, type Span } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder } from '@pollux/remote';
import { MemoryBudget, NO_HINTS, type SeriesColumns } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { ReadOnlyTsdb, Tsdb } from '@pollux/tsdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasPrometheus, NO_PROMETHEUS, type Server, startPrometheus } from './real-prometheus.ts';

/** Ten minutes, so that both sides cut chunks and our side a block. */
const STEP_MS = 5_000;
const STEPS = 120;

type Side = { readonly spans: Span[]; readonly buckets: Float64Array };
type Sample = { readonly timestampMs: number; readonly histogram: FloatHistogram };

/** New buckets now and then, a restart at step 70, a gap, a stale marker at 90, another schema from 100 on. */
function seriesOf(isInteger: boolean, startMs: number): Sample[] {
  const samples: Sample[] = [];
  const unit = isInteger ? 1 : 0.375;
  for (let i = 0; i < STEPS; i++) {
    if (i > 40 && i < 44) continue;
    const n = i < 70 ? i : i - 70;
    const positive = sideOf([0, 1, 2 + Math.floor(n / 12), 40], (k) => (n * (k + 2) + k) * unit);
    const negative = sideOf([-3, n > 20 ? 1 : -2], () => n * unit);
    const zeroCount = n * unit;
    let count = zeroCount;
    for (const bucket of [...positive.buckets, ...negative.buckets]) count += bucket;
    samples.push({
      timestampMs: startMs + i * STEP_MS,
      histogram: {
        counterResetHint: 'unknown',
        schema: i < 100 ? 2 : 1,
        zeroThreshold: 0.001,
        zeroCount,
        count,
        sum: count * 1.5 - 7,
        positiveSpans: positive.spans,
        negativeSpans: negative.spans,
        positiveBuckets: positive.buckets,
        negativeBuckets: negative.buckets,
        customValues: null,
        isInteger,
        isStale: i === 90,
      },
    });
  }
  return samples;
}

function sideOf(indexes: readonly number[], countOf: (index: number) => number): Side {
  const spans: Span[] = [];
  let next = 0;
  for (const index of indexes) {
    spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  return { spans, buckets: Float64Array.from(indexes, (_, k) => countOf(k)) };
}

/** What a histogram says, whatever empty buckets it names. */
function textOf(histogram: FloatHistogram): string {
  if (histogram.isStale) return 'stale';
  const { isInteger, schema, zeroThreshold, zeroCount, count, sum } = histogram;
  const side = (spans: readonly Span[], buckets: Float64Array): string => {
    const texts: string[] = [];
    let index = 0;
    let at = 0;
    for (const { offset, length } of spans) {
      index += offset;
      for (let i = 0; i < length; i++, index++, at++) {
        if (buckets[at] !== 0) texts.push(`${index}:${buckets[at]}`);
      }
    }
    return texts.join(' ');
  };
  return [
    ...[isInteger, schema, zeroThreshold, zeroCount, count, sum],
    side(histogram.positiveSpans, histogram.positiveBuckets),
    side(histogram.negativeSpans, histogram.negativeBuckets),
  ].join('|');
}

function linesOf(samples: readonly Sample[]): string[] {
  return samples.map(({ timestampMs, histogram }) => `${timestampMs} ${textOf(histogram)}`);
}

function columnLines({ count, timestampsMs, histograms }: SeriesColumns): string[] {
  return Array.from({ length: count }, (_, i) => {
    const histogram = histograms?.[i] ?? null;
    return `${timestampsMs[i]} ${histogram === null ? 'float' : textOf(histogram)}`;
  });
}

/** What Prometheus' API says of the populated buckets, count and sum of each sample. */
type ApiHistogram = {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly [number, string, string, string][];
};

/** The chunks of all blocks in the directory: behind an 8-byte header, length (LEB128), encoding, data, checksum. */
function* chunksBelow(
  directory: string,
): IterableIterator<{ readonly encoding: number; readonly bytes: Uint8Array }> {
  for (const block of fs.readdirSync(directory)) {
    for (const name of fs.readdirSync(path.join(directory, block, 'chunks'))) {
      const file = new Uint8Array(fs.readFileSync(path.join(directory, block, 'chunks', name)));
      let at = 8;
      while (at < file.length) {
        let length = 0;
        for (let shift = 0; ; shift += 7) {
          const byte = file[at++]!;
          length |= (byte & 0x7f) << shift;
          if (byte < 0x80) break;
        }
        yield { encoding: file[at]!, bytes: file.slice(at + 1, at + 1 + length) };
        at += 1 + length + 4;
      }
    }
  }
}

describe.skipIf(!hasPrometheus)(
  `native histograms and the released Prometheus${NO_PROMETHEUS}`,
  () => {
    const env = nodeEnv();
    let directory: string;
    let running: Server | null;

    beforeEach(() => {
      directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-peer-'));
      running = null;
    });
    afterEach(async () => {
      await stop();
      fs.rmSync(directory, { recursive: true });
    });

    async function stop(): Promise<void> {
      const server = running;
      running = null;
      await server?.stop();
    }

    /** Serves the data directory; returns the address. */
    async function start(data: string): Promise<string> {
      fs.writeFileSync(`${directory}/prometheus.yml`, '');
      running = await startPrometheus([
        `--config.file=${directory}/prometheus.yml`,
        `--storage.tsdb.path=${data}`,
        '--web.enable-remote-write-receiver',
        '--web.enable-admin-api',
        '--enable-feature=native-histograms',
        '--storage.tsdb.retention.time=100y',
      ]);
      return running.url;
    }

    async function ask(base: string, name: string, startMs: number): Promise<ApiHistogram[]> {
      const seconds = (STEPS * STEP_MS) / 1000;
      const at = startMs / 1000 + seconds;
      const answer = await fetch(`${base}/api/v1/query?query=${name}[${seconds + 1}s]&time=${at}`);
      const { data } = (await answer.json()) as {
        data: { result: { histograms?: [number, ApiHistogram][] }[] };
      };
      return (data.result[0]?.histograms ?? []).map(([, histogram]) => histogram);
    }

    async function read(reader: ReadOnlyTsdb, name: string): Promise<string[]> {
      const range = { minMs: 0, maxMs: 2 ** 50 };
      const request = { range, matchers: [Matcher.metric(name)], hints: NO_HINTS, sorted: true };
      const budget = MemoryBudget.unlimited();
      const source = reader.select(request, { signal: new AbortController().signal, budget });
      const lines: string[] = [];
      for (;;) {
        const batch = await source.next();
        if (batch === null) return lines;
        for (const columns of batch) lines.push(...columnLines(columns));
      }
    }

    it('are read from its log and its blocks as they were sent to it', async () => {
      const startMs = Math.floor(Date.now() / 1000) * 1000 - STEPS * STEP_MS;
      const data = `${directory}/data`;
      const base = await start(data);
      const expected = new Map<string, string[]>();
      for (const [name, isInteger] of [
        ['sent_integer', true],
        ['sent_float', false],
      ] as const) {
        const samples = seriesOf(isInteger, startMs);
        expected.set(name, linesOf(samples));
        const labels = encodeLabels(Labels.from({ __name__: name }));
        for (const { timestampMs, histogram } of samples) {
          const encoder = new TimeSeriesEncoder();
          encoder.histogram(labels, timestampMs, histogram);
          const answer = await fetch(`${base}/api/v1/write`, {
            method: 'POST',
            headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
            body: snappyEncode(encoder.bytes()) as Uint8Array<ArrayBuffer>,
          });
          expect(answer.status).toBe(204);
        }
      }
      const snapshot = await fetch(`${base}/api/v1/admin/tsdb/snapshot`, { method: 'POST' });
      const { data: made } = (await snapshot.json()) as { data: { name: string } };
      await stop();
      const log = Log.silent();
      for (const [where, readsLog] of [
        [data, true],
        [`${data}/snapshots/${made.name}`, false],
      ] as const) {
        const reader = await ReadOnlyTsdb.open({ directory: where, env, log, readsLog });
        if (!readsLog) expect(reader.blocks().length).toBeGreaterThan(0);
        for (const [name, lines] of expected) expect(await read(reader, name)).toEqual(lines);
        reader.close();
      }
      const chunks = [...chunksBelow(`${data}/snapshots/${made.name}`)];
      expect(chunks.length).toBeGreaterThan(10);
      for (const { encoding, bytes } of chunks) {
        const columns = decodeHistograms(bytes, 0, bytes.length, encoding);
        const { isInteger, layout, counterReset, count, timestampsMs, values, starts } = columns;
        const again = new HistogramChunk({ isInteger, layout, counterReset, hasStartTimes: false });
        for (let i = 0; i < count; i++) again.append(timestampsMs[i]!, values, starts[i]!, 0);
        expect(again.bytes.subarray(0, again.byteLength)).toEqual(bytes);
      }
    });

    it.each(['in order', 'out of order'])(
      'that we stored, %s, are answered by it from our blocks and our log',
      async (manner) => {
        const startMs = Math.floor(Date.now() / 7_200_000) * 7_200_000 - 7_200_000;
        const data = `${directory}/data`;
        const options = {
          minBlockDurationMs: 240_000,
          retentionMs: 0,
          maintenanceIntervalMs: 1e9,
          outOfOrderWindowMs: 7_200_000,
        };
        const registry = new Registry();
        const db = await Tsdb.open({ directory: data, env, log: Log.silent(), registry, options });
        const expected = new Map<string, Sample[]>();
        for (const [name, isInteger] of [
          ['ours_integer', true],
          ['ours_float', false],
        ] as const) {
          const samples = seriesOf(isInteger, startMs);
          expected.set(name, samples);
        }
        const steps = Array.from({ length: STEPS }, (_, i) => i);
        if (manner === 'out of order') {
          // A stranger before all, so that the head spans blocks, then the newest, then the rest by strides.
          const appender = db.appender();
          const ref = appender.series(Labels.from({ __name__: 'stranger' }));
          const times = Float64Array.of(startMs);
          appender.appendFloats(Uint32Array.of(ref), times, times, null, 1, new Uint8Array(1));
          await appender.commit();
          // 7 has no factor in common with the number of steps, so that each comes once.
          steps.splice(0, STEPS, ...steps.map((i) => (STEPS - 1 + i * 7) % STEPS));
        }
        for (const i of steps) {
          const appender = db.appender();
          for (const [name, samples] of expected) {
            const sample = samples.find(({ timestampMs }) => timestampMs === startMs + i * STEP_MS);
            if (sample === undefined) continue;
            const ref = appender.series(Labels.from({ __name__: name }));
            expect(appender.appendHistogram(ref, sample.timestampMs, sample.histogram, 0)).toBe(0);
          }
          await appender.commit();
          if (i % 10 === 0 && manner === 'in order') await db.tick();
        }
        await db.tick();
        await db.close();
        const blocks = fs.readdirSync(data).filter((name) => name.length === 26);
        const hinted = blocks.filter((name) =>
          fs
            .readFileSync(path.join(data, name, 'meta.json'), 'utf8')
            .includes('"from-out-of-order"'),
        );
        expect(blocks.length).toBeGreaterThan(hinted.length);
        expect(hinted.length > 0).toBe(manner === 'out of order');
        const base = await start(data);
        for (const [name, samples] of expected) {
          const answered = await ask(base, name, startMs);
          const live = samples.filter(({ histogram }) => !histogram.isStale);
          expect(answered.length).toBe(live.length);
          for (const [i, { histogram }] of live.entries()) {
            const found = answered[i];
            expect(Number(found?.count)).toBe(histogram.count);
            expect(Number(found?.sum)).toBe(histogram.sum);
            const counts = [
              ...[...histogram.negativeBuckets].reverse(),
              histogram.zeroCount,
              ...histogram.positiveBuckets,
            ];
            expect((found?.buckets ?? []).map(([, , , count]) => Number(count))).toEqual(
              counts.filter((count) => count !== 0),
            );
          }
        }
      },
    );
  },
);
