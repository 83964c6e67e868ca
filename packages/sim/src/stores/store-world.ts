import type { HttpClientResponse } from '@pollux/base';
import { Labels, Matcher, setStaleAt, wordsOf } from '@pollux/model';
import {
  encodeLabels,
  encodeReadRequest,
  snappyDecode,
  snappyEncode,
  TimeSeriesEncoder,
} from '@pollux/remote';
import type { RunningRole } from '@pollux/roles';
import { role as storeRole } from '@pollux/roles/store';
import { startRole } from '../pair/simulated-role.ts';
import { type SimHost, SimWorld } from '../sim-world.ts';

const PORT = 8086;
const DATABASE = 'prometheus';
export const REPLICA_LABEL = 'prometheus_replica';
const REQUEST_TIMEOUT_MS = 20_000;
const SHARD_HOURS = 6;
export const SETTLE_MS = 30 * 60_000;
export const SETTLING = `--ha.settle=${SETTLE_MS}ms`;
const MINUTE_MS = 60_000;
/** A multiple of the spans of shard groups and windows. */
const T0 = 1_699_920_000_000;
/** Samples are of a time that is over: nothing but their arrival is to be waited for. */
export const FIRST_MS = T0 + 3 * 60 * MINUTE_MS;
export const MINUTES = 300;
export const MINUTES_PER_BATCH = 30;
const START_MS = T0 + 48 * 60 * MINUTE_MS;

/** Minutes in which a replica was not there. */
export type Away = { readonly from: number; readonly minutes: number };

const SERIES: readonly { readonly name: string; readonly from: number; readonly to: number }[] = [
  { name: 'whole', from: 0, to: MINUTES },
  { name: 'begun', from: 85, to: MINUTES },
  { name: 'ended', from: 0, to: 190 },
];
const PHASES_MS = new Map([
  ['A', 0],
  ['B', 17_000],
]);

/** What a replica sends of some minutes: a body of remote write. Empty when it was away all the time. */
export function batchOf(
  replica: string,
  firstMinute: number,
  away: readonly Away[],
): Uint8Array | null {
  const encoder = new TimeSeriesEncoder();
  let samples = 0;
  for (const { name, from, to } of SERIES) {
    const minutes: number[] = [];
    const endMinute = Math.min(to, firstMinute + MINUTES_PER_BATCH);
    for (let minute = Math.max(from, firstMinute); minute < endMinute; minute++) {
      const isAway = away.some((one) => minute >= one.from && minute < one.from + one.minutes);
      if (!isAway) minutes.push(minute);
    }
    if (minutes.length === 0) continue;
    samples += minutes.length;
    const phaseMs = PHASES_MS.get(replica) ?? 0;
    const timestampsMs = Float64Array.from(
      minutes,
      (minute) => FIRST_MS + minute * MINUTE_MS + phaseMs,
    );
    const values = Float64Array.from(timestampsMs, (ms) => (ms - FIRST_MS) / 1_000);
    const words = wordsOf(values);
    if (name === 'ended' && minutes.at(-1) === to - 1) setStaleAt(words, minutes.length - 1);
    const labels = Labels.from({ __name__: name, job: 'j', of: name, [REPLICA_LABEL]: replica });
    encoder.run(encodeLabels(labels), { timestampsMs, words }, 0, minutes.length);
  }
  return samples === 0 ? null : Uint8Array.from(snappyEncode(encoder.bytes()));
}

/** Whole stores in a simulated world, and a user who writes to them and asks them. */
export class StoreWorld {
  readonly world: SimWorld;
  readonly logs: string[] = [];
  readonly #hosts = new Map<string, SimHost>();
  readonly #roles = new Map<string, RunningRole>();
  readonly #user: SimHost;
  readonly #flagsOf: (name: string) => readonly string[];

  constructor(seed: number, flagsOf: (name: string) => readonly string[] = () => [SETTLING]) {
    this.world = new SimWorld({ seed, startMs: START_MS });
    this.#user = this.world.addHost('user');
    this.#flagsOf = flagsOf;
  }

  async add(name: string): Promise<void> {
    this.#hosts.set(name, this.world.addHost(name));
    await this.#start(name);
    const alter = `ALTER RETENTION POLICY autogen ON ${DATABASE} SHARD DURATION ${SHARD_HOURS}h`;
    await this.influx(name, alter);
  }

  async #start(name: string): Promise<void> {
    const starting = startRole(this.#hosts.get(name)!, storeRole, {
      hostname: name,
      flags: ['--data.dir=/data', `--http.bind-address=0.0.0.0:${PORT}`, ...this.#flagsOf(name)],
      variables: { INFLUXDB_DB: DATABASE, INFLUXDB_CONTINUOUS_QUERIES_ENABLED: 'false' },
      onLog: (line) => this.logs.push(line),
    });
    this.#roles.set(name, await this.until(starting));
  }

  /** The store loses power, or its process is killed, while something is written to it; it starts again. */
  async crash(
    name: string,
    body: Uint8Array | null,
    survives: 'none' | 'some' | 'all',
  ): Promise<void> {
    if (body !== null) {
      // Whoever is not answered sends again.
      this.#post(name, '/api/v1/prom/write', body).catch(() => {});
      await this.world.advance(3);
    }
    this.#roles.delete(name);
    this.#hosts.set(name, this.world.crash(name, survives));
    await this.#start(name);
  }

  /** Taken and synced when this resolves. */
  async write(name: string, body: Uint8Array): Promise<void> {
    const { status, body: answer } = await this.until(this.#post(name, '/api/v1/prom/write', body));
    if (status !== 204) throw new Error(`${name}: ${status} ${new TextDecoder().decode(answer)}`);
  }

  #post(name: string, path: string, body: Uint8Array): Promise<HttpClientResponse> {
    return this.#user.env.net.request({
      method: 'POST',
      url: `http://${name}:${PORT}${path}?db=${DATABASE}`,
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
      body,
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
  }

  async #form(name: string, path: string, form: Readonly<Record<string, string>>): Promise<string> {
    const { status, body } = await this.until(
      this.#user.env.net.request({
        method: 'POST',
        url: `http://${name}:${PORT}${path}`,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ db: DATABASE, ...form }).toString(),
        timeoutMs: REQUEST_TIMEOUT_MS,
      }),
    );
    const text = new TextDecoder().decode(body);
    if (status !== 200) throw new Error(`${name}${path}: ${status} ${text}`);
    return text;
  }

  influx(name: string, q: string): Promise<string> {
    return this.#form(name, '/query', { q, epoch: 'ms' });
  }

  /** What a server that reads its history back is given, as bytes; `replica` is its own external label. */
  async read(name: string, replica: string | null): Promise<string> {
    const matchers = [new Matcher('__name__', '=~', '.+')];
    if (replica !== null) matchers.push(new Matcher(REPLICA_LABEL, '=', replica));
    const query = { startMs: T0, endMs: START_MS, matchers, hints: null };
    const body = snappyEncode(encodeReadRequest({ queries: [query], accepted: ['samples'] }));
    const answer = await this.until(this.#post(name, '/api/v1/prom/read', body));
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status}`);
    return Buffer.from(await snappyDecode(answer.body)).toString('base64');
  }

  /** The answers to reads of every kind. */
  async answers(name: string): Promise<string[]> {
    const found: string[] = [];
    for (const replica of [null, 'A', 'B']) found.push(await this.read(name, replica));
    const range = {
      start: `${FIRST_MS / 1_000}`,
      end: `${FIRST_MS / 1_000 + MINUTES * 60}`,
      step: '300',
    };
    for (const query of [
      'whole',
      'sum(rate({job="j"}[10m]))',
      'max_over_time(begun[1h])',
      'ended',
      'count_over_time({__name__=~".+"}[5m])',
    ])
      found.push(await this.#form(name, '/api/v1/query_range', { query, ...range }));
    for (const minute of [0, 119, 121, 240])
      found.push(
        await this.#form(name, '/api/v1/query', {
          query: 'timestamp({job="j"})',
          time: `${FIRST_MS / 1_000 + minute * 60}`,
        }),
      );
    for (const q of [
      'SELECT * FROM /.*/',
      'SELECT count(value), mean(value), last(value) FROM /.*/ GROUP BY *',
      `SELECT spread(value) FROM whole WHERE time >= ${FIRST_MS}ms AND time < ${FIRST_MS + MINUTES * MINUTE_MS}ms GROUP BY time(40m)`,
    ])
      found.push(await this.influx(name, q));
    return found;
  }

  /** Moves time until the work is done. */
  async until<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    // The rejection is the caller's.
    done.catch(() => {});
    while (!isDone) await this.world.advance(5);
    return done;
  }

  async end(): Promise<void> {
    for (const role of this.#roles.values()) await this.until(role.close());
  }
}
