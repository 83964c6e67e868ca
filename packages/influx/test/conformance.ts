import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Labels, type Matcher, type MatchOperator, wordsOf } from '@pollux/model';
import {
  decodeReadResponse,
  encodeLabels,
  encodeReadRequest,
  snappyDecode,
  snappyEncode,
  TimeSeriesEncoder,
} from '@pollux/remote';
import { TestStore } from './harness.ts';

type Expected = {
  readonly status?: number;
  readonly body?: string;
  readonly body_regex?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly results?: unknown;
};
type Step = {
  readonly op: string;
  readonly name?: string;
  readonly db?: string;
  readonly rp?: string;
  readonly duration?: string;
  readonly replication?: number;
  readonly default?: boolean;
  readonly data?: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly status?: number;
  readonly error_contains?: string;
  readonly command?: string;
  readonly expect?: string | Expected;
  readonly expect_1_8?: Expected;
  readonly match?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly request?: {
    readonly timeseries?: readonly WireSeries[];
    readonly queries?: readonly {
      readonly start_timestamp_ms: number;
      readonly end_timestamp_ms: number;
      readonly matchers: readonly {
        readonly type: string;
        readonly name: string;
        readonly value: string;
      }[];
    }[];
  };
  readonly skip?: unknown;
  readonly silent?: boolean;
};
type WireSeries = {
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly samples: readonly { readonly value: number | string; readonly timestamp: number }[];
};
export type Suite = {
  readonly name: string;
  readonly kind: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly steps: readonly Step[];
};

const COUNTED = new Set(['query', 'parse_ok', 'no_error', 'http', 'prom_read', 'prom_write']);
const OPERATORS: Readonly<Record<string, MatchOperator>> = {
  EQ: '=',
  NEQ: '!=',
  RE: '=~',
  NRE: '!~',
};
/** Server settings that a suite asks for, as environment of influxdb.conf. */
const SETTINGS: Readonly<Record<string, string>> = {
  'Meta.RetentionAutoCreate': 'INFLUXDB_META_RETENTION_AUTOCREATE',
  'HTTPD.AuthEnabled': 'INFLUXDB_HTTP_AUTH_ENABLED',
  'HTTPD.MaxRowLimit': 'INFLUXDB_HTTP_MAX_ROW_LIMIT',
  'Coordinator.MaxSelectSeriesN': 'INFLUXDB_COORDINATOR_MAX_SELECT_SERIES',
  'Coordinator.MaxSelectBucketsN': 'INFLUXDB_COORDINATOR_MAX_SELECT_BUCKETS',
};

/** The suites, or null when the data is not there. */
export function readSuites(): readonly Suite[] | null {
  const fallback = fileURLToPath(new URL('../../../../shared/conformance', import.meta.url));
  const file = `${process.env.POLLUX_CONFORMANCE ?? fallback}/influxdb/server-cases.json`;
  if (!fs.existsSync(file)) return null;
  return (JSON.parse(fs.readFileSync(file, 'utf8')) as { suites: Suite[] }).suites;
}

export type Failure = {
  readonly step: number;
  readonly what: string;
  readonly want: string;
  readonly got: string;
};
export type Score = { readonly checks: number; readonly failures: readonly Failure[] };

/** Runs a suite on a store of its own. */
export async function runSuite(suite: Suite): Promise<Score> {
  const settings: Record<string, string> = {};
  for (const [key, value] of Object.entries(suite.config ?? {})) {
    const name = SETTINGS[key];
    if (name !== undefined) settings[name] = String(value);
  }
  const store = await new TestStore().open(settings);
  // The recorded server had this user before the first step.
  if (suite.config?.['HTTPD.AuthEnabled'] === true)
    store.service.meta.createUser('admin', 'admin', true);
  const nowNanos = BigInt(Date.now()) * 1_000_000n + 123_456n;
  const failures: Failure[] = [];
  let checks = 0;
  try {
    for (const [index, raw] of suite.steps.entries()) {
      const step = substitute(raw, nowNanos) as Step;
      if (step.skip) continue;
      const isCounted =
        step.silent !== true &&
        (COUNTED.has(step.op) || (step.op === 'write' && step.status !== undefined));
      if (isCounted) checks++;
      const failure = await runStep(store, step);
      if (failure === null || !isCounted) continue;
      failures.push({ step: index, what: step.name ?? step.command ?? step.op, ...failure });
    }
  } finally {
    await store.close();
  }
  return { checks, failures };
}

type Verdict = { readonly want: string; readonly got: string } | null;

async function runStep(store: TestStore, step: Step): Promise<Verdict> {
  switch (step.op) {
    case 'create_db':
      await store.query(`CREATE DATABASE "${step.db}"`);
      return null;
    case 'create_rp': {
      const tail = step.default === true ? ' DEFAULT' : '';
      await store.query(
        `CREATE RETENTION POLICY "${step.rp}" ON "${step.db}" DURATION ${step.duration} REPLICATION ${step.replication}${tail}`,
      );
      return null;
    }
    case 'write':
      return runWrite(store, step);
    case 'query':
    case 'no_error':
    case 'parse_ok':
      return runQuery(store, step);
    case 'http':
      return runHttp(store, step);
    case 'prom_write':
    case 'prom_read':
      return runPrometheus(store, step);
    default:
      return null;
  }
}

async function runWrite(store: TestStore, step: Step): Promise<Verdict> {
  const parameters = { ...(step.rp === undefined ? {} : { rp: step.rp }), ...step.params };
  const answer = await store.write(step.db ?? '', step.data ?? '', parameters);
  const want = step.status ?? 204;
  if (answer.status !== want) return { want: String(want), got: `${answer.status} ${answer.text}` };
  const text = step.error_contains;
  return text !== undefined && !answer.text.includes(text)
    ? { want: text, got: answer.text }
    : null;
}

async function runQuery(store: TestStore, step: Step): Promise<Verdict> {
  const search = new URLSearchParams({ ...step.params, q: step.command ?? '' });
  const answer = await store.request('POST', `/query?${search}`, {
    headers: { 'content-type': 'application/json' },
  });
  const got = answer.text.trim();
  if (step.op === 'parse_ok') return answer.status === 200 ? null : { want: '200', got };
  if (step.op === 'no_error') {
    return answer.status === 200 && !got.includes('"error":') ? null : { want: 'no error', got };
  }
  const want = String(step.expect);
  const isRight = step.match === 'regex' ? new RegExp(want).test(got) : got === want;
  return isRight ? null : { want, got };
}

async function runHttp(store: TestStore, step: Step): Promise<Verdict> {
  const answer = await store.request(step.method ?? 'GET', step.path ?? '/', {
    ...(step.body === undefined ? {} : { body: step.body }),
    headers: step.headers ?? {},
  });
  let why = '';
  for (const expected of [step.expect as Expected, step.expect_1_8]) {
    if (expected === undefined) continue;
    why = '';
    if (answer.status !== expected.status) why = `status ${answer.status}`;
    else if (expected.body !== undefined && answer.text.trim() !== expected.body.trim())
      why = 'body';
    else if (
      expected.body_regex !== undefined &&
      !new RegExp(expected.body_regex).test(answer.text)
    )
      why = 'body';
    for (const [name, value] of Object.entries(expected.headers ?? {})) {
      if (why === '' && answer.headers[name] !== value)
        why = `header ${name}: ${answer.headers[name]}`;
    }
    if (why === '') return null;
  }
  return { want: JSON.stringify(step.expect), got: `${why} | ${answer.status} ${answer.text}` };
}

async function runPrometheus(store: TestStore, step: Step): Promise<Verdict> {
  const isRead = step.op === 'prom_read';
  const raw = isRead ? encodeRead(step) : encodeWrite(step.request?.timeseries ?? []);
  const path = `/api/v1/prom/${isRead ? 'read' : 'write'}?${new URLSearchParams(step.params ?? {})}`;
  const answer = await store.request('POST', path, { body: snappyEncode(raw) });
  const got =
    isRead && answer.status === 200
      ? { status: 200, results: await decodeRead(answer.bytes) }
      : { status: answer.status, body: answer.text.trim() };
  const wants = [
    (step.expect as Expected | undefined) ?? { status: step.status ?? 204 },
    step.expect_1_8,
  ].flatMap((expected) => (expected === undefined ? [] : [expected]));
  const shown = wants.map((expected) =>
    JSON.stringify(
      expected.results === undefined
        ? { status: expected.status, body: expected.body ?? ('body' in got ? got.body : '') }
        : { status: 200, results: expected.results },
    ),
  );
  return shown.includes(JSON.stringify(got))
    ? null
    : { want: shown.join(' or '), got: JSON.stringify(got) };
}

function encodeWrite(series: readonly WireSeries[]): Uint8Array {
  const encoder = new TimeSeriesEncoder();
  for (const { labels, samples } of series) {
    const values = new Float64Array(samples.length);
    const words = wordsOf(values);
    for (const [index, { value }] of samples.entries()) {
      if (value === 'stale') {
        words[index * 2] = 2;
        words[index * 2 + 1] = 0x7ff00000;
      } else
        values[index] = value === '+Inf' ? Infinity : value === '-Inf' ? -Infinity : Number(value);
    }
    const timestampsMs = Float64Array.from(samples, ({ timestamp }) => timestamp);
    const fields = encodeLabels(
      Labels.from(labels.map(({ name, value }) => [name, value] as const)),
    );
    encoder.run(fields, { timestampsMs, words }, 0, samples.length);
  }
  return encoder.bytes();
}

function encodeRead(step: Step): Uint8Array {
  const queries = (step.request?.queries ?? []).map((query) => ({
    startMs: query.start_timestamp_ms,
    endMs: query.end_timestamp_ms,
    // A broken expression must reach the server, so the matcher is not compiled here.
    matchers: query.matchers.map(
      ({ type, name, value }) =>
        ({ name, operator: OPERATORS[type] ?? '=', value }) as unknown as Matcher,
    ),
    hints: null,
  }));
  return encodeReadRequest({ queries, accepted: [] });
}

async function decodeRead(bytes: Uint8Array): Promise<unknown> {
  const results = decodeReadResponse(await snappyDecode(bytes));
  return results.map((series) => ({
    timeseries: series.map(({ labels, count, timestampsMs, values }) => ({
      labels: [...labels].map(([name, value]) => ({ name, value })),
      samples: Array.from({ length: count }, (_, i) => ({
        timestamp: timestampsMs[i],
        value: values[i],
      })),
    })),
  }));
}

const YEAR_ONE_NANOS = 62_135_596_800n * 1_000_000_000n;

/** Replaces `{{now|add:N|trunc:N|…}}`; times count from Go's year 1 when cut. */
function substitute(value: unknown, nowNanos: bigint): unknown {
  if (Array.isArray(value)) return value.map((item) => substitute(item, nowNanos));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, substitute(item, nowNanos)]),
    );
  }
  if (typeof value !== 'string' || !value.includes('{{now')) return value;
  return value.replace(/\{\{now((?:\|[^|}]+)*)\}\}/g, (_all, chain: string) =>
    timeOf(chain, nowNanos),
  );
}

function timeOf(chain: string, nowNanos: bigint): string {
  let time = nowNanos;
  for (const part of chain.split('|').filter((text) => text !== '')) {
    const [name, text = '0'] = part.split(':');
    const n = BigInt(text);
    if (name === 'add') time += n;
    else if (name === 'div') time /= n;
    else if (name === 'trunc') time -= (time + YEAR_ONE_NANOS) % n;
    else if (name === 'round') {
      const rest = (time + YEAR_ONE_NANOS) % n;
      time = rest * 2n < n ? time - rest : time + n - rest;
    } else if (name === 'rfc3339nano') return rfc3339(time);
  }
  return time.toString();
}

function rfc3339(nanos: bigint): string {
  const rest = nanos % 1_000_000_000n;
  const decimals = rest === 0n ? '' : `.${rest.toString().padStart(9, '0').replace(/0+$/, '')}`;
  return `${new Date(Number(nanos / 1_000_000n)).toISOString().slice(0, 19)}${decimals}Z`;
}
