/**
 * A store beside influxd and VictoriaMetrics in one run, each a process of its own: resident memory of very many series with a few
 * points each by remote write, influxd with both of its indexes; processor time of points in line protocol; and the bytes on disk
 * of those when all have compacted. Run with `node --conditions=@pollux/source --import tsx` and this file after a build;
 * arguments: `memory` and series (1,000,000), or `disk` and series (1,000), hours (24), seconds between points (60).
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Labels, wordsOf } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder } from '@pollux/remote';
import {
  type Peer,
  post,
  startInfluxd,
  startStore,
  startVictoria,
  stop,
  usageOf,
} from './side-by-side/peers.ts';

const [what, ...numbers] = process.argv.slice(2);
const PER_REQUEST = 2_000;
const CONNECTIONS = 4;
/** Longer than any of them waits before it writes files and merges them. */
const SETTLE_MS = 75_000;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-store-side-'));
try {
  if (what === 'memory') await memory(...numbers.map(Number));
  else if (what === 'disk') await disk(...numbers.map(Number));
  else say('say memory or disk');
} finally {
  fs.rmSync(directory, { recursive: true, force: true });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One after the other, since they do not all fit in memory. */
async function memory(series = 1_000_000): Promise<void> {
  const starts = [
    startStore,
    (at: string) => startInfluxd(at, 'tsi1'),
    (at: string) => startInfluxd(at, 'inmem'),
    startVictoria,
  ];
  const startMs = Date.now() - 60_000;
  for (const start of starts) {
    const own = fs.mkdtempSync(path.join(directory, 'of-'));
    const peer = await start(own);
    if (peer === null) continue;
    try {
      const empty = usageOf(peer);
      for (const round of [0, 1]) {
        const before = usageOf(peer);
        await inTurns(Math.ceil(series / PER_REQUEST), async (request) => {
          const encoder = new TimeSeriesEncoder();
          const from = request * PER_REQUEST;
          for (let i = from; i < Math.min(series, from + PER_REQUEST); i++) {
            const timestampsMs = Float64Array.of(startMs + round * 15_000);
            const words = wordsOf(Float64Array.of(i + round));
            encoder.run(encodeLabels(labelsOf(i)), { timestampsMs, words }, 0, 1);
          }
          await post(peer.url + peer.write, snappyEncode(encoder.bytes()));
        });
        const { cpuS, rssMb, peakMb } = usageOf(peer);
        say(
          `${peer.name}: ${series} series, point ${round + 1}: ${cpuText(before.cpuS, cpuS, series)}, resident ${empty.rssMb} to ${rssMb} MB, peak ${peakMb} MB`,
        );
      }
    } finally {
      await stop(peer);
      fs.rmSync(own, { recursive: true, force: true });
    }
  }
}

async function disk(series = 1_000, hours = 24, stepS = 60): Promise<void> {
  const points = (hours * 3_600) / stepS;
  const startS = Math.floor(Date.now() / 86_400_000) * 86_400 - hours * 3_600;
  const heads = Array.from({ length: series }, (_, i) => lineHead(labelsOf(i)));
  const peers: Peer[] = [];
  try {
    for (const start of [startStore, startInfluxd, startVictoria]) {
      const peer = await start(directory);
      if (peer !== null) peers.push(peer);
    }
    for (const peer of peers) {
      const before = usageOf(peer);
      await inTurns(points, async (point) => {
        const timeText = `${startS + point * stepS}000001000\n`;
        const lines: string[] = [];
        for (let i = 0; i < series; i++)
          lines.push(`${heads[i]} value=${valueAt(i, point)} ${timeText}`);
        await post(peer.url + peer.lines, Buffer.from(lines.join('')), false);
      });
      const { cpuS, rssMb } = usageOf(peer);
      const count = series * points;
      say(
        `${peer.name}: ${count} points by line protocol: ${cpuText(before.cpuS, cpuS, count)}, resident ${rssMb} MB`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    for (const peer of peers) {
      await stop(peer);
      const bytes = Number(
        spawnSync('du', ['-s', '-B1', peer.directory]).stdout.toString().split('\t')[0],
      );
      say(
        `${peer.name}: ${bytes} bytes on disk, ${(bytes / (series * points)).toFixed(2)} a point`,
      );
    }
  } finally {
    for (const peer of peers) await stop(peer);
  }
}

function cpuText(beforeS: number, afterS: number, count: number): string {
  return `${(((afterS - beforeS) / count) * 1e6).toFixed(2)} s of processor time a million`;
}

async function inTurns(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, run));
}

function labelsOf(i: number): Labels {
  return Labels.from({
    __name__: 'node_cpu_seconds_total',
    cpu: String(i % 8),
    instance: `host-${Math.floor(i / 64)}.example.org:9100`,
    job: 'node',
    mode: `mode-${Math.floor(i / 8) % 8}`,
  });
}

function lineHead(labels: Labels): string {
  const tags = [...labels.withoutMetricName()].map(([name, value]) => `${name}=${value}`);
  return `${labels.metricName},${tags.join(',')}`;
}

/** A third stands still, a third are counters that grow unevenly, a third gauges of two decimals; the same for each peer. */
function valueAt(series: number, point: number): number {
  if (series % 3 === 0) return 1_000 + series;
  const noise = noiseAt(series * 100_003 + point);
  if (series % 3 === 1) return series * 7 + point * 15 + Math.floor(noise * 12);
  return Math.round((50 + 30 * Math.sin((point + series) / 30) + noise * 5) * 100) / 100;
}

/** In [0, 1), by a number. */
function noiseAt(seed: number): number {
  let state = (seed + 0x6d2b79f5) | 0;
  state = Math.imul(state ^ (state >>> 15), state | 1);
  state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
  return ((state ^ (state >>> 14)) >>> 0) / 2 ** 32;
}
