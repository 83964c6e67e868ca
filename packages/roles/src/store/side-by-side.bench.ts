/**
 * A store beside influxd and VictoriaMetrics in one run, each a process of its own with the same samples by remote write over HTTP:
 * processor time for a million samples, resident memory, `GROUP BY time` over all series, a remote read of all samples.
 * Answers of the same question are compared by length and count. What is not installed is left
 * out. Run with `node --conditions=@pollux/source --import tsx` and this file after a build; arguments: series (1,000), hours (24),
 * seconds between samples (30).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Labels, Matcher, wordsOf } from '@pollux/model';
import {
  CHUNKED_CONTENT_TYPE,
  ChunkedResponseReader,
  decodeReadResponse,
  encodeLabels,
  encodeReadRequest,
  type ResponseType,
  snappyDecode,
  snappyEncode,
  TimeSeriesEncoder,
} from '@pollux/remote';
import { NO_HINTS } from '@pollux/storage';
import {
  DATABASE,
  type Peer,
  post,
  startInfluxd,
  startStore,
  startVictoria,
  stop,
  usageOf,
} from './side-by-side/peers.ts';

const [SERIES = 1_000, HOURS = 24, STEP_S = 30] = process.argv.slice(2).map(Number);
const STEP_MS = STEP_S * 1_000;
const ROUNDS = (HOURS * 3_600) / STEP_S;
const T0 = Math.floor(Date.now() / 86_400_000) * 86_400_000 - HOURS * 3_600_000;
const T1 = T0 + ROUNDS * STEP_MS;
/** Samples of a series in one request. */
const PER_REQUEST = 2;
const CONNECTIONS = 4;
const MAX_ANSWER_BYTES = 2 ** 30;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-store-side-'));
const labels = Array.from({ length: SERIES }, (_, i) =>
  encodeLabels(
    Labels.from({
      __name__: 'node_cpu_seconds_total',
      cpu: String(i % 8),
      instance: `host-${Math.floor(i / 64)}.example.org:9100`,
      job: 'node',
      mode: `mode-${Math.floor(i / 8) % 8}`,
    }),
  ),
);

const peers: Peer[] = [];
try {
  for (const start of [startStore, startInfluxd, startVictoria]) {
    const peer = await start(directory);
    if (peer !== null) peers.push(peer);
  }
  for (const peer of peers) await fill(peer);
  const influx = peers.filter(({ speaksInflux }) => speaksInflux);
  const answers: string[] = [];
  for (const peer of influx) answers.push(await groupBy(peer));
  if (new Set(answers).size > 1) say('GROUP BY time: answers differ');
  const counts: string[] = [];
  for (const peer of influx) counts.push(await readBack(peer));
  if (new Set(counts).size > 1) say('remote read: answers differ');
  for (const peer of influx) await readNames(peer);
} finally {
  for (const peer of peers) await stop(peer);
  fs.rmSync(directory, { recursive: true, force: true });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function fill(peer: Peer): Promise<void> {
  const values = new Float64Array(PER_REQUEST);
  const timestampsMs = new Float64Array(PER_REQUEST);
  const before = usageOf(peer);
  const startMs = performance.now();
  let next = 0;
  const send = async (): Promise<void> => {
    while (next < ROUNDS) {
      const round = next;
      next += PER_REQUEST;
      const encoder = new TimeSeriesEncoder();
      for (const [i, fields] of labels.entries()) {
        for (let k = 0; k < PER_REQUEST; k++) {
          timestampsMs[k] = T0 + (round + k) * STEP_MS + 1;
          values[k] = sampleAt(i, round + k);
        }
        encoder.run(fields, { timestampsMs, words: wordsOf(values) }, 0, PER_REQUEST);
      }
      await post(peer.url + peer.write, snappyEncode(encoder.bytes()));
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, send));
  const after = usageOf(peer);
  const millions = (SERIES * ROUNDS) / 1e6;
  say(
    `${peer.name}: ${millions.toFixed(2)} M samples in ${((performance.now() - startMs) / 1e3).toFixed(1)} s, ${((after.cpuS - before.cpuS) / millions).toFixed(2)} s of processor time a million, resident ${after.rssMb} MB`,
  );
}

/** A counter; some of the series stand still, as with real ones. */
function sampleAt(series: number, round: number): number {
  return series % 3 === 0 ? 1_000 + series : series * 7 + round * (1 + (series % 13)) * 0.25;
}

async function groupBy(peer: Peer): Promise<string> {
  const q = `SELECT mean(value) FROM node_cpu_seconds_total WHERE time >= ${T0}ms AND time < ${T1}ms GROUP BY time(5m), "instance"`;
  const search = new URLSearchParams({ db: DATABASE, q, epoch: 'ms' });
  const times: number[] = [];
  const before = usageOf(peer);
  let text = '';
  for (let i = 0; i < 3; i++) {
    const startMs = performance.now();
    text = await (await fetch(`${peer.url}/query?${search}`)).text();
    times.push(performance.now() - startMs);
  }
  const after = usageOf(peer);
  say(
    `${peer.name}: GROUP BY time(5m), instance: median ${times.sort((a, b) => a - b)[1]!.toFixed(0)} ms, ${((after.cpuS - before.cpuS) / 3).toFixed(2)} s of processor time, ${text.length} bytes, resident ${after.rssMb} MB`,
  );
  return String(text.length);
}

async function readBack(peer: Peer): Promise<string> {
  const accepted: ResponseType[] = ['streamed-xor-chunks', 'samples'];
  const matchers = [Matcher.metric('node_cpu_seconds_total')];
  const query = { startMs: T0, endMs: T1, matchers, hints: null };
  const body = snappyEncode(encodeReadRequest({ queries: [query], accepted }));
  const before = usageOf(peer);
  const startMs = performance.now();
  const answer = await fetch(`${peer.url}/api/v1/prom/read?db=${DATABASE}`, {
    method: 'POST',
    body: new Uint8Array(body),
  });
  let bytes = 0;
  let firstMs = 0;
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
    if (bytes === 0) firstMs = performance.now() - startMs;
    bytes += piece.length;
    pieces.push(piece);
  }
  const tookMs = performance.now() - startMs;
  const after = usageOf(peer);
  const samples = await countOf(answer, Buffer.concat(pieces));
  say(
    `${peer.name}: remote read of ${samples} samples in ${tookMs.toFixed(0)} ms, the first bytes after ${firstMs.toFixed(0)} ms, ${(after.cpuS - before.cpuS).toFixed(2)} s of processor time, ${bytes} bytes, peak resident ${before.peakMb} to ${after.peakMb} MB`,
  );
  return String(samples);
}

/** Which series there are in the last hour, as readers ask for labels. */
async function readNames(peer: Peer): Promise<void> {
  const startMs = T1 - 3_600_000;
  const hints = { ...NO_HINTS, startMs, endMs: T1, func: 'series' };
  const matchers = [Matcher.metric('node_cpu_seconds_total')];
  const query = { startMs, endMs: T1, matchers, hints };
  const body = snappyEncode(encodeReadRequest({ queries: [query], accepted: ['samples'] }));
  const beginMs = performance.now();
  const answer = await fetch(`${peer.url}/api/v1/prom/read?db=${DATABASE}`, {
    method: 'POST',
    body: new Uint8Array(body),
  });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const tookMs = performance.now() - beginMs;
  const [series = []] = decodeReadResponse(await snappyDecode(bytes));
  say(
    `${peer.name}: names of ${series.length} series in ${tookMs.toFixed(0)} ms, ${bytes.length} bytes`,
  );
}

async function countOf(answer: Response, body: Uint8Array): Promise<number> {
  const range = { minMs: T0, maxMs: T1 };
  if (!(answer.headers.get('content-type') ?? '').startsWith(CHUNKED_CONTENT_TYPE)) {
    const [series = []] = decodeReadResponse(await snappyDecode(body, MAX_ANSWER_BYTES));
    return series.reduce((sum, { count }) => sum + count, 0);
  }
  const reader = new ChunkedResponseReader();
  reader.push(body);
  reader.end();
  return reader.take().reduce((sum, series) => sum + series.columns(range).count, 0);
}
