import {
  type Env,
  EVERYONE,
  type HttpClientRequest,
  type HttpRequest,
  LimitError,
  SeededRandom,
  VirtualClock,
} from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { parseYaml, strictContext } from '@pollux/config';
import { type Exchange, Router } from '@pollux/http';
import { isStaleAt, Labels, Matcher, matchesAll, setStaleAt, wordsOf } from '@pollux/model';
import {
  MemoryBudget,
  NO_HINTS,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesColumns,
} from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import {
  ChunkedResponseReader,
  encodeReadRequest,
  RemoteQueryable,
  RemoteReadError,
  readHandler,
  remoteReadConfigs,
  snappyEncode,
} from '../index.ts';

function columns(labels: Record<string, string>, timesMs: readonly number[]): SeriesColumns {
  return {
    labels: Labels.from(labels),
    count: timesMs.length,
    timestampsMs: Float64Array.from(timesMs),
    values: Float64Array.from(timesMs, (time) => time / 1_000),
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
}

class Held implements Queryable {
  readonly series: readonly SeriesColumns[];
  readonly asked: SelectRequest[] = [];

  constructor(series: readonly SeriesColumns[]) {
    this.series = series;
  }

  select(request: SelectRequest) {
    this.asked.push(request);
    const found = this.series.filter(({ labels }) => matchesAll(request.matchers, labels));
    const batches = found.map((one) => [one]);
    return { next: async () => batches.shift() ?? null, warnings: [], close: () => {} };
  }

  labelNames = () => Promise.reject(new Error('not used'));
  labelValues = () => Promise.reject(new Error('not used'));
}

type ServerOptions = {
  readonly externalLabels?: Record<string, string>;
  readonly maxSamples?: number;
  readonly maxConcurrent?: number;
};

/** A read endpoint over `series`, and a client of it with the given configuration. */
function pair(series: readonly SeriesColumns[], yaml = '', options: ServerOptions = {}, own = {}) {
  const held = new Held(series);
  const registry = new Registry();
  const router = new Router({ monotonic: () => 0 }).post(
    '/api/v1/read',
    readHandler({
      clock: new VirtualClock(),
      queryable: (_: Exchange) => held,
      externalLabels: () => Labels.from(options.externalLabels ?? {}),
      registry,
      log: Log.silent(),
      maxSamples: options.maxSamples ?? 0,
      maxConcurrent: options.maxConcurrent ?? 0,
      maxMemoryBytes: 1e9,
    }),
  );
  const requests: HttpClientRequest[] = [];
  const net = {
    request: async (request: HttpClientRequest) => {
      requests.push(request);
      const response = await router.handler(serverSide(request));
      const headers = response.headers as Record<string, string>;
      const body = response.body as Uint8Array | string;
      return { status: response.status, headers, body: Buffer.from(body as string) };
    },
  };
  const text = `- url: http://a/api/v1/read\n  name: a\n${yaml}`;
  const [config] = remoteReadConfigs(parseYaml(text, 'p.yml'), 'remote_read', strictContext());
  const env = {
    clock: new VirtualClock(),
    random: new SeededRandom(1),
    files: new NodeFiles(),
    net,
  } as unknown as Env;
  const client = new RemoteQueryable({
    env,
    config: config!,
    registry,
    externalLabels: Labels.from(own),
    userAgent: 'Pollux/test',
    resolvePath: (file) => file,
    variables: {},
  });
  return { client, held, requests, registry, router };
}

function serverSide(request: HttpClientRequest): HttpRequest {
  return {
    method: request.method,
    target: new URL(request.url).pathname,
    headers: request.headers ?? {},
    remote: { host: '127.0.0.1', port: 1 },
    signal: new AbortController().signal,
    principal: EVERYONE,
    stream: () => {
      throw new Error('not used');
    },
    body: async () => request.body as Uint8Array,
  };
}

function context(budgetBytes = 1e9): ReadContext {
  return { signal: new AbortController().signal, budget: new MemoryBudget(budgetBytes) };
}

const RANGE = { minMs: 0, maxMs: 10_000 };

async function read(queryable: Queryable, matchers: Matcher[], within = context()) {
  const source = queryable.select(
    { range: RANGE, matchers, hints: { ...NO_HINTS, func: 'rate', endMs: 10_000 }, sorted: true },
    within,
  );
  const all: SeriesColumns[] = [];
  for (let batch = await source.next(); batch !== null; batch = await source.next())
    all.push(...batch);
  return all;
}

function shown(series: readonly SeriesColumns[]): [string, number[]][] {
  return series.map(({ labels, count, timestampsMs }) => [
    labels.toMetricString(),
    [...timestampsMs.subarray(0, count)],
  ]);
}

describe('remote read, client against server', () => {
  const up = Matcher.metric('up');

  it('gives the series that match with their samples, sorted, and passes the hints', async () => {
    const series = [
      columns({ __name__: 'up', i: '2' }, [1, 2]),
      columns({ __name__: 'up', i: '1' }, [3]),
      columns({ __name__: 'x' }, [4]),
    ];
    const { client, held, requests, registry } = pair(series);
    expect(shown(await read(client, [up]))).toEqual([
      ['up{i="1"}', [3]],
      ['up{i="2"}', [1, 2]],
    ]);
    expect(held.asked[0]?.range).toEqual(RANGE);
    expect(held.asked[0]?.hints.func).toBe('rate');
    expect(requests[0]?.headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-read-version': '0.1.0',
    });
    const total = registry
      .gather()
      .find(({ name }) => name === 'prometheus_remote_storage_read_queries_total');
    expect(total?.samples[0]).toMatchObject({ value: 1 });
    expect(total?.samples[0]?.labels).toContain('200');
  });

  it('keeps stale markers by their bits', async () => {
    const one = columns({ __name__: 'up' }, [1, 2]);
    setStaleAt(wordsOf(one.values), 1);
    const [series] = await read(pair([one]).client, [up]);
    expect(isStaleAt(wordsOf(series!.values), 1)).toBe(true);
    expect(isStaleAt(wordsOf(series!.values), 0)).toBe(false);
  });

  it('asks with its external labels as matchers and takes them off the answer', async () => {
    const own = { cluster: 'c', prometheus_replica: 'A' };
    const { client, held } = pair(
      [columns({ __name__: 'up', cluster: 'c', prometheus_replica: 'A' }, [1])],
      '',
      {},
      own,
    );
    expect(shown(await read(client, [up]))).toEqual([['up', [1]]]);
    expect(held.asked[0]?.matchers.map(String)).toEqual([
      '__name__="up"',
      'cluster="c"',
      'prometheus_replica="A"',
    ]);
    const chosen = [up, new Matcher('cluster', '=~', '.+')];
    expect(shown(await read(client, chosen))).toEqual([['up{cluster="c"}', [1]]]);
  });

  it('keeps to its range: hints do not reach beyond it, and samples outside are left out', async () => {
    const { client, held } = pair([columns({ __name__: 'up' }, [1, 2_000, 3_000, 20_000])]);
    const source = client.select(
      {
        range: { minMs: 1_500, maxMs: 10_000 },
        matchers: [up],
        hints: { ...NO_HINTS, startMs: 0, endMs: 90_000 },
        sorted: true,
      },
      context(),
    );
    const batch = (await source.next()) ?? [];
    expect(shown(batch)).toEqual([['up', [2_000, 3_000]]]);
    expect(batch[0]?.values[0]).toBe(2);
    expect(held.asked[0]?.hints).toMatchObject({ startMs: 1_500, endMs: 10_000 });
  });

  it('leaves external labels alone when told to', async () => {
    const { client, held } = pair([], '  filter_external_labels: false', {}, { cluster: 'c' });
    await read(client, [up]);
    expect(held.asked[0]?.matchers.map(String)).toEqual(['__name__="up"']);
  });

  it('asks only for selectors with the required matchers', async () => {
    const { client, requests } = pair([], '  required_matchers: {store: far}');
    expect(await read(client, [up])).toEqual([]);
    expect(await read(client, [up, new Matcher('store', '=~', 'far')])).toEqual([]);
    expect(requests).toHaveLength(0);
    await read(client, [up, new Matcher('store', '=', 'far')]);
    expect(requests).toHaveLength(1);
  });

  it('finds label names and values by a select for series', async () => {
    const series = [
      columns({ __name__: 'up', a: '2' }, []),
      columns({ __name__: 'up', a: '1', b: 'x' }, []),
    ];
    const { client, held } = pair(series);
    expect(await client.labelNames(RANGE, [up], 0, context())).toEqual({
      values: ['__name__', 'a', 'b'],
      warnings: [],
    });
    expect(held.asked[0]?.hints.func).toBe('series');
    expect((await client.labelValues('a', RANGE, [], 1, context())).values).toEqual(['1']);
  });

  it('gives a memory budget back and keeps to it', async () => {
    const many = Array.from({ length: 50 }, (_, i) =>
      columns(
        { __name__: 'up', i: String(i) },
        Array.from({ length: 100 }, (_, t) => t),
      ),
    );
    const { client } = pair(many);
    const within = context();
    await read(client, [up], within);
    expect(within.budget.usedBytes).toBe(0);
    expect(within.budget.peakBytes).toBeGreaterThan(50 * 100 * 16);
    await expect(read(client, [up], context(1_000))).rejects.toThrow(LimitError);
  });
});

describe('the read endpoint', () => {
  it('adds its external labels to the answer and understands matchers on them', async () => {
    const { client } = pair([columns({ __name__: 'up' }, [1])], '', {
      externalLabels: { cluster: 'c' },
    });
    const matchers = [Matcher.metric('up'), new Matcher('cluster', '=', 'c')];
    expect(shown(await read(client, matchers))).toEqual([['up{cluster="c"}', [1]]]);
    expect(
      await read(client, [Matcher.metric('up'), new Matcher('cluster', '=', 'other')]),
    ).toEqual([]);
  });

  it('refuses an answer over the sample limit with a text that names the limit', async () => {
    const { client } = pair([columns({ __name__: 'up' }, [1, 2, 3])], '', { maxSamples: 2 });
    const refusal = read(client, [Matcher.metric('up')]);
    await expect(refusal).rejects.toThrow(RemoteReadError);
    await expect(refusal).rejects.toThrow(
      /HTTP status 400: exceeded sample limit \(2\).*read-sample-limit/,
    );
  });

  it('streams chunks to who prefers them, several queries too, and is free again at the end', async () => {
    const series = [columns({ __name__: 'a' }, [1, 2, 3]), columns({ __name__: 'b' }, [4])];
    const { router, registry } = pair(series, '', { externalLabels: { cluster: 'c' } });
    const queries = ['a', 'b'].map((name) => ({
      startMs: 0,
      endMs: 10,
      matchers: [Matcher.metric(name)],
      hints: null,
    }));
    const body = snappyEncode(
      encodeReadRequest({ queries, accepted: ['streamed-xor-chunks', 'samples'] }),
    );
    const request = { method: 'POST', url: 'http://a/api/v1/read', body, timeoutMs: 1 };
    const response = await router.handler(serverSide(request));
    expect(response.headers?.['content-type']).toBe(
      'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse',
    );
    const running = registry.gauge('prometheus_remote_read_handler_queries', '');
    expect(running.value).toBe(1);
    const reader = new ChunkedResponseReader();
    for await (const piece of response.body as AsyncIterable<Uint8Array>) reader.push(piece);
    reader.end();
    const all = { minMs: 0, maxMs: 10 };
    const found = reader.take().map((one) => one.columns(all));
    expect(shown(found)).toEqual([
      ['a{cluster="c"}', [1, 2, 3]],
      ['b{cluster="c"}', [4]],
    ]);
    expect(running.value).toBe(0);
  });

  it.each([
    ['no snappy', Uint8Array.of(1, 2, 3)],
    ['no protobuf', snappyEncode(Uint8Array.of(10, 200))],
    [
      'a matcher of unknown kind',
      snappyEncode(Uint8Array.of(10, 9, 26, 7, 8, 9, 18, 1, 97, 26, 0)),
    ],
  ])('answers 400 to %s', async (_, body) => {
    const { router } = pair([]);
    const request = { method: 'POST', url: 'http://a/api/v1/read', body, timeoutMs: 1 };
    const response = await router.handler(serverSide(request));
    expect(response.status).toBe(400);
  });
});
