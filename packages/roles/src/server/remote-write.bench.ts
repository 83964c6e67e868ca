/**
 * What a sample costs that comes by remote write, from the body of the request to the head, without the network: processor
 * time of the whole process, all its threads. Run with
 * `node --expose-gc --conditions=@pollux/source --import tsx` and this file; arguments: series (100,000), steps (20), series of a
 * request (2,000).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EVERYONE } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import type { Exchange } from '@pollux/http';
import { Labels, wordsOf } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder, writeHandler } from '@pollux/remote';
import { limitAhead } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { Tsdb } from '@pollux/tsdb';

const [SERIES = 100_000, STEPS = 20, BATCH = 2_000] = process.argv.slice(2).map(Number);
const STEP_MS = 15_000;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-remote-write-'));
const env = nodeEnv();
const registry = new Registry();
const db = await Tsdb.open({ directory, env, log: Log.silent(), registry });
const appendable = limitAhead(db, env.clock);
const handler = writeHandler({
  appendable: () => appendable,
  random: env.random,
  registry,
  log: Log.silent(),
});

const bodies = requests();
globalThis.gc?.();
await send(bodies.splice(0, 1));
const first = process.cpuUsage();
await send(bodies);
const { user, system } = process.cpuUsage(first);
const samples = SERIES * (STEPS - 1);
const perSample = ((user + system) / samples) * 1000;
process.stdout.write(
  `${samples} samples of ${SERIES} known series, ${BATCH} a request: ${perSample.toFixed(0)} ns a sample (${((system / samples) * 1000).toFixed(0)} of them in the system)\n`,
);
await db.close();
fs.rmSync(directory, { recursive: true });

async function send(steps: readonly (readonly Uint8Array[])[]): Promise<void> {
  for (const step of steps) {
    for (const body of step) {
      const { status } = await handler(exchangeOf(body));
      if (status !== 204) throw new Error(`status ${status}`);
    }
  }
}

/** By step; as a mix of exporters: constants, counters, and gauges of three digits. */
function requests(): Uint8Array[][] {
  const t0 = Math.floor(env.clock.now() / STEP_MS) * STEP_MS - STEPS * STEP_MS;
  const labels = Array.from({ length: SERIES }, (_, i) =>
    encodeLabels(
      Labels.from({
        __name__: `node_some_measured_thing_total_${i % 400}`,
        cpu: String(i % 8),
        instance: `host-${Math.floor(i / 1000)}.example.org:9100`,
        job: 'node',
        mode: `m${Math.floor(i / 8) % 125}`,
      }),
    ),
  );
  const encoder = new TimeSeriesEncoder();
  const values = new Float64Array(1);
  const rows = { timestampsMs: new Float64Array(1), words: wordsOf(values) };
  return Array.from({ length: STEPS }, (_, step) => {
    const parts: Uint8Array[] = [];
    rows.timestampsMs[0] = t0 + step * STEP_MS;
    for (let start = 0; start < SERIES; start += BATCH) {
      encoder.reset();
      for (let i = start; i < Math.min(SERIES, start + BATCH); i++) {
        if (i % 2 === 0) values[0] = i;
        else values[0] = i % 4 === 1 ? step * (i % 997) : Math.round(500 * Math.sin(i + step)) / 10;
        encoder.run(labels[i]!, rows, 0, 1);
      }
      parts.push(snappyEncode(encoder.bytes()));
    }
    return parts;
  });
}

function exchangeOf(body: Uint8Array): Exchange {
  const signal = new AbortController().signal;
  return {
    request: {
      method: 'POST',
      target: '/api/v1/write',
      headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
      remote: { host: '127.0.0.1', port: 1 },
      signal,
      principal: EVERYONE,
      stream: () => {
        throw new Error('the handler reads whole bodies');
      },
      body: async () => body,
    },
    path: '/api/v1/write',
    params: {},
    query: new URLSearchParams(),
    principal: EVERYONE,
    signal,
  };
}
