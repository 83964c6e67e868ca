import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { type Env, type HttpClientRequest, SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { parseYaml, strictContext } from '@pollux/config';
import { Labels } from '@pollux/model';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RemoteWriter, type RemoteWriterOptions, remoteWriteConfigs } from '../index.ts';
import { type Answer, Endpoint } from '../testing/endpoint.ts';
import { type Line, LineLog, segmentName } from '../testing/line-log.ts';

let directory: string;
let log: LineLog;
let clock: VirtualClock;
let registry: Registry;
let endpoints: Map<string, Endpoint>;
let logged: string[];
const running: RemoteWriter[] = [];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-remote-'));
  log = new LineLog(`${directory}/wal`);
  clock = new VirtualClock();
  endpoints = new Map();
  logged = [];
});

afterEach(async () => {
  await stopAll();
  fs.rmSync(directory, { recursive: true });
});

async function stopAll(): Promise<void> {
  const closing = Promise.all(running.splice(0).map((writer) => writer.close()));
  await clock.advance(5_000);
  await closing;
}

function endpoint(host: string): Endpoint {
  const known = endpoints.get(host) ?? new Endpoint();
  endpoints.set(host, known);
  return known;
}

function settings(yaml: string, externalLabels: Record<string, string> = {}) {
  const destinations = remoteWriteConfigs(
    parseYaml(yaml, 'p.yml'),
    'remote_write',
    strictContext(),
  );
  return { destinations, externalLabels: Labels.from(externalLabels) };
}

async function start(
  yaml: string,
  options: Partial<RemoteWriterOptions> & { externalLabels?: Record<string, string> } = {},
): Promise<RemoteWriter> {
  registry = new Registry();
  const env = {
    clock,
    random: new SeededRandom(1),
    files: new NodeFiles(),
    net: {
      request: (request: HttpClientRequest) =>
        endpoint(new URL(request.url).hostname).take(request),
    },
  } as unknown as Env;
  const writer = new RemoteWriter({
    env,
    log: new Log({
      level: 'info',
      format: 'logfmt',
      now: () => 0,
      write: (line) => logged.push(line),
    }),
    registry,
    wal: log,
    dataDirectory: directory,
    userAgent: 'Pollux/test',
    resolvePath: (file) => file,
    variables: {},
    ...options,
  });
  writer.prepare(settings(yaml, options.externalLabels)).commit();
  writer.start();
  running.push(writer);
  await clock.advance(10);
  return writer;
}

/** Leaves a writer behind as kill -9 would: no close, nothing saved. Its endpoint hears no more of it. */
function kill(writer: RemoteWriter): void {
  running.splice(running.indexOf(writer), 1);
  log.forgetListeners();
  clock = new VirtualClock(clock.now());
}

function metric(family: string, ...labels: string[]): number {
  const found = registry.gather().find((one) => one.name === family);
  const sample = found?.samples.find((one) => labels.every((label) => one.labels.includes(label)));
  return sample?.value ?? Number.NaN;
}

const ONE = '- url: http://a/write\n  name: a';
const A: Line = { series: [[1, { __name__: 'up', job: 'n' }]] };

function samplesOf(ref: number, from: number, to: number): Line {
  return {
    samples: Array.from({ length: to - from + 1 }, (_, i) => [ref, (from + i) * 1_000, from + i]),
  };
}

function expected(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${(from + i) * 1_000}=${from + i}`);
}

describe('sending the log to a destination', () => {
  it('sends what is logged after its start, in order, with external labels and relabelling', async () => {
    log.append(A, samplesOf(1, 1, 5));
    await start(
      `
- url: http://a/write
  name: a
  headers: {X-Tenant: t}
  write_relabel_configs:
    - {source_labels: [job], regex: drop, action: drop}
    - {regex: job, action: labeldrop}`,
      { externalLabels: { prometheus_replica: 'A', job: 'unused' } },
    );
    log.append({ series: [[2, { __name__: 'gone', job: 'drop' }]] });
    log.append(samplesOf(1, 6, 8), samplesOf(2, 6, 7));
    await clock.advance(4_000);
    expect(endpoint('a').requests).toHaveLength(0);
    await clock.advance(2_000);
    expect([...endpoint('a').got]).toEqual([['up{prometheus_replica="A"}', expected(6, 8)]]);
    expect(endpoint('a').requests[0]).toMatchObject({
      method: 'POST',
      headers: {
        'content-encoding': 'snappy',
        'content-type': 'application/x-protobuf',
        'x-prometheus-remote-write-version': '0.1.0',
        'user-agent': 'Pollux/test',
        'x-tenant': 't',
      },
    });
    expect(endpoint('a').requests[0]?.headers).not.toHaveProperty('retry-attempt');
    expect(metric('prometheus_remote_storage_samples_total', 'a')).toBe(3);
    expect(metric('prometheus_remote_storage_samples_in_total')).toBe(5);
    expect(metric('prometheus_remote_storage_samples_dropped_total', 'dropped_series')).toBe(2);
    expect(metric('prometheus_remote_storage_queue_highest_sent_timestamp_seconds', 'a')).toBe(8);
  });

  it('sends full batches at once and no more than max_samples_per_send each', async () => {
    await start(`${ONE}\n  queue_config: {max_samples_per_send: 10}`);
    log.append(A, samplesOf(1, 1, 35));
    await clock.advance(100);
    expect(endpoint('a').requests).toHaveLength(3);
    await clock.advance(5_000);
    expect(endpoint('a').requests).toHaveLength(4);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 35));
  });

  it('tries again after connection errors and 5xx, backing off, until the destination takes it', async () => {
    await start(
      `${ONE}\n  queue_config: {min_backoff: 1s, max_backoff: 4s, max_samples_per_send: 1}`,
    );
    const answers: Answer[] = ['unreachable', { status: 503 }, { status: 500 }, { status: 500 }];
    const at: number[] = [];
    endpoint('a').answer = () => {
      at.push(clock.now());
      return answers.shift() ?? { status: 200 };
    };
    log.append(A, samplesOf(1, 1, 1));
    await clock.advance(30_000);
    expect(at.slice(1).map((time, i) => time - at[i]!)).toEqual([1_000, 2_000, 4_000, 4_000]);
    expect(endpoint('a').requests.map(({ headers }) => headers?.['retry-attempt'])).toEqual([
      undefined,
      '1',
      '2',
      '3',
      '4',
    ]);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 1));
    expect(metric('prometheus_remote_storage_samples_retried_total', 'a')).toBe(4);
  });

  it('waits as long as Retry-After says', async () => {
    await start(`${ONE}\n  queue_config: {max_samples_per_send: 1}`);
    const answers: Answer[] = [{ status: 503, headers: { 'retry-after': '20' } }];
    endpoint('a').answer = () => answers.shift() ?? { status: 200 };
    log.append(A, samplesOf(1, 1, 1));
    await clock.advance(19_000);
    expect(endpoint('a').requests).toHaveLength(1);
    await clock.advance(2_000);
    expect(endpoint('a').samples('up{job="n"}')).toHaveLength(1);
  });

  it('gives a batch up on 4xx, counts it, and goes on with the next', async () => {
    await start(`${ONE}\n  queue_config: {max_samples_per_send: 2}`);
    const answers: Answer[] = [{ status: 400 }, { status: 429 }];
    endpoint('a').answer = () => answers.shift() ?? { status: 200 };
    log.append(A, samplesOf(1, 1, 6));
    await clock.advance(1_000);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(5, 6));
    expect(metric('prometheus_remote_storage_samples_failed_total', 'a')).toBe(4);
    expect(logged.join()).toContain('server returned HTTP status 400: status 400');
  });

  it('tries again on 429 when told to', async () => {
    await start(`${ONE}\n  queue_config: {max_samples_per_send: 1, retry_on_http_429: true}`);
    const answers: Answer[] = [{ status: 429 }];
    endpoint('a').answer = () => answers.shift() ?? { status: 200 };
    log.append(A, samplesOf(1, 1, 1));
    await clock.advance(1_000);
    expect(endpoint('a').samples('up{job="n"}')).toHaveLength(1);
  });

  it('drops samples over sample_age_limit instead of sending them', async () => {
    await start(`${ONE}\n  queue_config: {sample_age_limit: 1h}`);
    const now = clock.now();
    log.append(A, {
      samples: [
        [1, now - 7_200_000, 1],
        [1, now, 2],
      ],
    });
    await clock.advance(6_000);
    expect(endpoint('a').samples('up{job="n"}')).toEqual([`${now}=2`]);
    expect(metric('prometheus_remote_storage_samples_dropped_total', 'too_old')).toBe(1);
  });

  it('lets one dead destination delay no other', async () => {
    await start(`${ONE}\n- url: http://b/write\n  name: b`);
    endpoint('a').answer = () => 'unreachable';
    log.append(A);
    for (let i = 1; i <= 50; i++) {
      log.append(samplesOf(1, i, i));
      await clock.advance(1_000);
    }
    await clock.advance(6_000);
    expect(endpoint('b').samples('up{job="n"}')).toEqual(expected(1, 50));
    endpoint('a').answer = () => ({ status: 200 });
    await clock.advance(20_000);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 50));
    expect(metric('prometheus_remote_storage_samples_in_total')).toBe(50);
  });

  it('passes over a damaged record with the rest of its segment and says so', async () => {
    await start(ONE);
    log.append(A, samplesOf(1, 1, 1));
    fs.appendFileSync(`${directory}/wal/00000000`, 'damaged\n');
    log.append(samplesOf(1, 2, 2));
    await clock.advance(6_000);
    log.cut();
    log.append(samplesOf(1, 3, 3));
    await clock.advance(10_000);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(['1000=1', '3000=3']);
    expect(metric('prometheus_wal_watcher_record_decode_failures_total', 'a')).toBe(1);
    expect(logged.filter((line) => line.includes('damaged record'))).toHaveLength(1);
  });

  it('announces metadata every send_interval', async () => {
    await start(`${ONE}\n  metadata_config: {send_interval: 30s, max_samples_per_send: 2}`, {
      metadata: () =>
        ['x', 'y', 'z'].map((family) => [family, { type: 'gauge', help: 'h', unit: '' }] as const),
    });
    await clock.advance(31_000);
    expect(endpoint('a').metadataCount).toBe(3);
    expect(endpoint('a').requests).toHaveLength(2);
    expect(metric('prometheus_remote_storage_metadata_total', 'a')).toBe(3);
  });
});

describe('the durable queue', () => {
  it('goes on after a clean stop where it was, sending nothing twice', async () => {
    await start(ONE);
    log.append(A, samplesOf(1, 1, 10));
    await clock.advance(1_000);
    await stopAll();
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 10));
    log.append(samplesOf(1, 11, 20));
    await start(ONE);
    await clock.advance(6_000);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 20));
  });

  it('keeps what a dead destination needs though the log deletes it, and lets go once it is sent', async () => {
    await start(ONE);
    endpoint('a').answer = () => 'unreachable';
    log.append(A, samplesOf(1, 1, 10));
    log.cut();
    log.append({ series: [[2, { __name__: 'late' }]] }, samplesOf(2, 1, 3), samplesOf(1, 11, 15));
    log.cut();
    await clock.advance(10);
    log.append(samplesOf(1, 16, 20));
    log.truncate(1, [2]);
    await clock.advance(3_000);
    expect(fs.existsSync(`${directory}/wal/00000000`)).toBe(false);
    expect(fs.readdirSync(`${directory}/remote/a/wal`)).toContain('00000000');
    expect(metric('pollux_remote_pinned_bytes', 'a')).toBeGreaterThan(0);
    await stopAll();

    endpoint('a').answer = () => ({ status: 200 });
    await start(ONE);
    await clock.advance(20_000);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 20));
    expect(endpoint('a').samples('late')).toEqual(expected(1, 3));
    await clock.advance(3_000);
    expect(fs.readdirSync(`${directory}/remote/a/wal`)).toEqual([
      '00000002',
      'checkpoint.00000001',
    ]);
    expect(metric('pollux_remote_pinned_bytes', 'a')).toBe(0);
  });

  it('pins segments that the log makes and deletes in one go', async () => {
    await start(ONE);
    log.append(A, samplesOf(1, 1, 2));
    log.cut();
    log.append(samplesOf(1, 3, 4));
    log.cut();
    log.truncate(1);
    await clock.advance(6_000);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 4));
  });

  it('finds series again whose record is some segments before the cursor', async () => {
    await start(ONE);
    log.append(A);
    for (let i = 0; i < 3; i++) log.cut();
    log.append(samplesOf(1, 1, 2));
    await clock.advance(10_000);
    await stopAll();
    log.append(samplesOf(1, 3, 4));
    await start(ONE);
    await clock.advance(6_000);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 4));
  });

  it('finds the series of a checkpoint again after a restart', async () => {
    await start(ONE);
    log.append(A);
    log.cut();
    log.append(samplesOf(1, 1, 2));
    await clock.advance(10_000);
    log.truncate(0);
    await clock.advance(5_000);
    await stopAll();
    log.append(samplesOf(1, 3, 4));
    await start(ONE);
    await clock.advance(6_000);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 4));
  });

  it('begins at the end of a new log when the old one was wiped under it', async () => {
    await start(ONE);
    log.append(A);
    log.cut();
    log.cut();
    log.append(samplesOf(1, 1, 2));
    await clock.advance(8_000);
    await stopAll();
    fs.rmSync(`${directory}/wal`, { recursive: true });
    log = new LineLog(`${directory}/wal`);
    await start(ONE);
    log.append({ series: [[1, { __name__: 'other' }]] }, samplesOf(1, 3, 4));
    await clock.advance(6_000);
    expect(endpoint('a').samples('other')).toEqual(expected(3, 4));
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 2));
    expect(logged.join()).toContain('the log ends before the saved cursor');
  });

  it('gives up the oldest part over the bound, counts it, and sends the rest', async () => {
    const small = { maxPinnedBytes: 300 };
    await start(`${ONE}\n  queue_config: {capacity: 1, max_samples_per_send: 1}`, small);
    endpoint('a').answer = () => 'unreachable';
    log.append(A, samplesOf(1, 1, 200));
    log.cut();
    log.append(samplesOf(1, 201, 210));
    await clock.advance(1_000);
    log.truncate(0);
    await clock.advance(10_000);
    expect(logged.join()).toContain('the oldest samples are given up');
    endpoint('a').answer = () => ({ status: 200 });
    await clock.advance(20_000);
    const sent = endpoint('a').samples('up{job="n"}');
    expect(sent.slice(-10)).toEqual(expected(201, 210));
    const dropped = metric('prometheus_remote_storage_samples_dropped_total', 'a', 'queue_full');
    expect(sent.length + dropped).toBe(210);
    expect(dropped).toBeGreaterThan(190);
    await clock.advance(5_000);
    expect(metric('pollux_remote_pinned_bytes', 'a')).toBe(0);
  });

  it('loses nothing through failures, truncations and kills at any moment, and keeps each series in order', async () => {
    const random = new SeededRandom(20_260_101);
    const refs = [1, 2, 3, 4, 5];
    const next = new Map(refs.map((ref) => [ref, 1]));
    const yaml = `${ONE}
  queue_config: {capacity: 20, max_samples_per_send: 7, max_shards: 3, min_shards: 3, batch_send_deadline: 1s}`;
    let writer = await start(yaml);
    let isDown = false;
    endpoint('a').answer = () => {
      if (isDown) return 'unreachable';
      return random.below(4) === 0 ? { status: 503 } : { status: 200 };
    };
    log.append({ series: refs.map((ref) => [ref, { __name__: 'm', ref: String(ref) }]) });
    for (let round = 0; round < 120; round++) {
      const action = random.below(12);
      if (action === 0) isDown = !isDown;
      else if (action === 1) log.cut();
      else if (action === 2 && log.segment > 0) {
        const upTo = random.below(log.segment);
        if (fs.existsSync(`${directory}/wal/${segmentName(upTo)}`)) log.truncate(upTo);
      } else if (action === 3) {
        kill(writer);
        writer = await start(yaml);
      } else {
        const ref = refs[random.below(refs.length)]!;
        const from = next.get(ref)!;
        const to = from + random.below(6);
        next.set(ref, to + 1);
        log.append(samplesOf(ref, from, to));
      }
      await clock.advance(random.below(1_500));
    }
    isDown = false;
    await clock.advance(60_000);
    for (const ref of refs) {
      const firstSeen = [...new Set(endpoint('a').samples(`m{ref="${ref}"}`))];
      expect(firstSeen).toEqual(expected(1, next.get(ref)! - 1));
    }
  }, 60_000);
});

describe('reloading', () => {
  it('leaves unchanged destinations alone, starts new ones, stops removed ones', async () => {
    const writer = await start(ONE);
    log.append(A, samplesOf(1, 1, 3));
    writer.prepare(settings(`${ONE}\n- url: http://b/write\n  name: b`)).commit();
    await clock.advance(100);
    expect(writer.status().map(({ name }) => name)).toEqual(['a', 'b']);
    log.append(samplesOf(1, 4, 5));
    await clock.advance(6_000);
    expect(endpoint('a').samples('up{job="n"}')).toEqual(expected(1, 5));
    expect(endpoint('b').samples('up{job="n"}')).toEqual(expected(4, 5));
    writer.prepare(settings('- url: http://b/write\n  name: b')).commit();
    await clock.advance(5_000);
    expect(writer.status().map(({ name }) => name)).toEqual(['b']);
    expect(metric('prometheus_remote_storage_samples_total', 'a')).toBeNaN();
  });

  it('opens a changed destination anew from its cursor', async () => {
    const writer = await start(ONE);
    endpoint('a').answer = () => 'unreachable';
    log.append(A, samplesOf(1, 1, 3));
    await clock.advance(6_000);
    endpoint('c');
    writer.prepare(settings('- url: http://c/write\n  name: a')).commit();
    await clock.advance(10_000);
    expect(endpoint('c').samples('up{job="n"}')).toEqual(expected(1, 3));
  });

  it('closes within two seconds though the destination is dead, and may be closed twice', async () => {
    const writer = await start(ONE);
    endpoint('a').answer = () => 'unreachable';
    log.append(A, samplesOf(1, 1, 3));
    await clock.advance(6_000);
    let isClosed = false;
    const closing = writer.close().then(() => {
      isClosed = true;
    });
    await clock.advance(2_100);
    expect(isClosed).toBe(true);
    await closing;
    await writer.close();
  });
});
