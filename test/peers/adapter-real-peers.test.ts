import { Labels, Matcher, type MatchOperator, matchesAll } from '@pollux/model';
import {
  decodeReadResponse,
  encodeReadRequest,
  type ReadQuery,
  snappyDecode,
  snappyEncode,
} from '@pollux/remote';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type WrittenSeries, writeBody } from '../../packages/remote/src/testing/write-body.ts';
import { eventually, RunningRole, Scratch } from '../system/running-role.ts';
import { hasInfluxd, NO_INFLUXD, startInfluxd } from './real-influxd.ts';
import { hasPrometheus, NO_PROMETHEUS, type Server, startPrometheus } from './real-prometheus.ts';

type Store = { readonly url: string; end(): Promise<unknown> };

const ours = (scratch: Scratch): Promise<Store> =>
  RunningRole.start([
    'store',
    '--http.bind-address=127.0.0.1:0',
    `--data.dir=${scratch.at('store')}`,
  ]);

/** A series of Prometheus' answer. */
type Sampled = { readonly values: readonly (readonly [number, string])[] };

const AT_MS = Math.floor(Date.now() / 1_000) * 1_000 - 60_000;
/** What line protocol and InfluxQL might take for something of their own. */
const VALUES = [
  'plain',
  'a b',
  'a,b',
  'x=y',
  "it's",
  'say "so"',
  'C:\\dir\\file',
  '\\d+',
  'a/b',
  '多语言 🚒',
  '#no',
  '$(x)',
  'value',
];

function corpus(): WrittenSeries[] {
  const samples = [
    [AT_MS, 1],
    [AT_MS + 1, -2.5e-7],
    [AT_MS + 15_000, 1.7976931348623157e308],
  ] as const;
  const named = VALUES.map((value): WrittenSeries => [{ __name__: 'm', l: value }, samples]);
  return [
    ...named,
    [{ __name__: 'm', other: 'o' }, samples],
    [{ __name__: 'm', value: 'a tag named as the field' }, samples],
    [{ __name__: 'ns:other', l: 'plain', le: '+Inf' }, samples],
    [{ __name__: 'm_total' }, samples],
  ];
}

const SELECTORS: readonly (readonly [string, MatchOperator, string])[][] = [
  [['__name__', '=', 'm']],
  [['__name__', '=~', 'm|ns:.*']],
  [
    ['__name__', '!=', 'm'],
    ['l', '=', 'plain'],
  ],
  [
    ['__name__', '!~', 'ns.*|m_.*'],
    ['__name__', '=~', '.+'],
  ],
  [['l', '=~', 'plain|a.b']],
  [['l', '=~', 'a/b|\\\\d\\+|.*"so"']],
  [
    ['__name__', '=', 'm'],
    ['l', '=~', '(plain)?'],
  ],
  [
    ['__name__', '=', 'm'],
    ['l', '=', ''],
  ],
  [
    ['__name__', '=', 'm'],
    ['l', '!=', ''],
  ],
  [
    ['__name__', '=', 'm'],
    ['l', '!=', 'plain'],
  ],
  [
    ['__name__', '=', 'm'],
    ['l', '!~', 'plain|.*b'],
  ],
  [
    ['__name__', '=', 'm'],
    ['l', '!~', '(plain)?'],
  ],
  [
    ['__name__', '=', 'm'],
    ['missing', '!=', 'x'],
  ],
  [
    ['__name__', '=', 'm'],
    ['missing', '!~', 'x|y'],
  ],
  [['value', '=~', 'a tag.*']],
  [['__name__', '=', 'nosuch']],
  ...VALUES.map((value): (readonly [string, MatchOperator, string])[] => [['l', '=', value]]),
];

async function post(url: string, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  return fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(20_000) });
}

describe.each([
  [`Debian's influxd${NO_INFLUXD}`, hasInfluxd, () => startInfluxd()],
  ['our store', true, ours],
] as const)('the adapter in front of %s', (_, isThere, startStore) => {
  const scratch = new Scratch();
  let store: Store;
  let adapter: RunningRole;

  beforeAll(async () => {
    if (!isThere) return;
    store = await startStore(scratch);
    adapter = await RunningRole.start([
      'adapter',
      '--web.listen-address=127.0.0.1:0',
      `--influxdb-url=${store.url}/`,
    ]);
  }, 60_000);
  afterAll(async () => {
    await adapter?.end();
    await store?.end();
    scratch.remove();
  }, 60_000);

  async function read(query: Pick<ReadQuery, 'matchers'>) {
    const range = { startMs: AT_MS, endMs: AT_MS + 20_000, hints: null };
    const request = encodeReadRequest({ queries: [{ ...query, ...range }], accepted: [] });
    const body = Uint8Array.from(snappyEncode(request));
    const answer = await post(`${adapter.url}/read`, body);
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    const [series = []] = decodeReadResponse(
      await snappyDecode(new Uint8Array(await answer.arrayBuffer())),
    );
    return series;
  }

  it.skipIf(!isThere)('has samples wait for a database that is not there yet', async () => {
    const refused = await post(`${adapter.url}/write`, writeBody(corpus()));
    expect([refused.status, await refused.text()]).toEqual([
      503,
      expect.stringContaining('database not found'),
    ]);
    const made = await fetch(`${store.url}/query`, {
      method: 'POST',
      body: new URLSearchParams({ q: 'CREATE DATABASE prometheus' }),
    });
    expect(made.status).toBe(200);
    expect((await post(`${adapter.url}/write`, writeBody(corpus()))).status).toBe(204);
  });

  it.skipIf(!isThere).each(SELECTORS.map((selector) => [selector]))(
    'reads by %j what was written, label by label and bit by bit',
    async (selector) => {
      const matchers = selector.map((parts) => new Matcher(...parts));
      const expected = corpus()
        .map(([labels, samples]) => ({ labels: Labels.from(labels), samples }))
        .filter(({ labels }) => matchesAll(matchers, labels))
        .sort((a, b) => a.labels.compare(b.labels))
        .map(({ labels, samples }) => [labels.toString(), samples]);
      const found = (await read({ matchers })).map(({ labels, count, timestampsMs, values }) => [
        labels.toString(),
        Array.from({ length: count }, (_, i) => [timestampsMs[i], values[i]]),
      ]);
      expect(found).toEqual(expected);
    },
  );

  it.skipIf(!isThere)(
    'has Prometheus drop what cannot be stored, and stores the rest',
    async () => {
      const mixed: WrittenSeries[] = [
        [{ __name__: 'mixed', l: 'ends in \\' }, [[AT_MS, 1]]],
        [{ __name__: 'mixed', l: 'two\nlines' }, [[AT_MS, 1]]],
        [{ __name__: 'mixed' }, [[AT_MS, 7]]],
      ];
      expect((await post(`${adapter.url}/write`, writeBody(mixed))).status).toBe(204);
      const found = await read({ matchers: [Matcher.metric('mixed')] });
      expect(found.map(({ count, values }) => [...values.subarray(0, count)])).toEqual([[7]]);
      const conflict = await fetch(`${store.url}/write?db=prometheus`, {
        method: 'POST',
        body: 'taken value="text"',
      });
      expect(conflict.status).toBe(204);
      const taken: WrittenSeries[] = [
        [{ __name__: 'taken' }, [[Date.now(), 1]]],
        [{ __name__: 'mixed', l: 'beside' }, [[AT_MS, 8]]],
      ];
      const refused = await post(`${adapter.url}/write`, writeBody(taken));
      expect([refused.status, await refused.text()]).toEqual([
        400,
        expect.stringContaining('field type conflict'),
      ]);
      expect(await read({ matchers: [new Matcher('l', '=', 'beside')] })).toHaveLength(1);
    },
  );

  it.skipIf(!isThere || !hasPrometheus)(
    `serves a real Prometheus as writer, and another one as reader${NO_PROMETHEUS}`,
    async () => {
      const global = 'global: {scrape_interval: 1s, scrape_timeout: 1s}\n';
      const scrape = 'scrape_configs: [{job_name: self, static_configs: [{targets: [TARGET]}]}]\n';
      const target = new URL(adapter.url).host;
      const writerFile = scratch.file(
        'writer.yml',
        `${global}${scrape.replace('TARGET', `'${target}'`)}remote_write: [{url: '${adapter.url}/write'}]\n`,
      );
      const readerFile = scratch.file(
        'reader.yml',
        `${global}remote_read: [{url: '${adapter.url}/read', read_recent: true}]\n`,
      );
      const server = (name: string, file: string): Promise<Server> =>
        startPrometheus([`--config.file=${file}`, `--storage.tsdb.path=${scratch.at(name)}`]);
      const [writer, reader] = [
        await server('writer', writerFile),
        await server('reader', readerFile),
      ];
      try {
        const last = async ({ url }: Server, seconds: number): Promise<Sampled[]> => {
          const query = encodeURIComponent('received_samples_total{job="self"}[20s]');
          const answer = await fetch(`${url}/api/v1/query?query=${query}&time=${seconds}`);
          return ((await answer.json()) as { data: { result: Sampled[] } }).data.result;
        };
        const nowSeconds = (): number => Math.floor(Date.now() / 1_000);
        const seconds = await eventually('five scrapes', 30_000, async () => {
          const [series] = await last(writer, nowSeconds());
          return series !== undefined && series.values.length >= 5 ? nowSeconds() : null;
        });
        const written = await last(writer, seconds);
        await eventually('the same by way of the adapter', 30_000, async () => {
          expect(await last(reader, seconds)).toEqual(written);
          return true;
        });
      } finally {
        await writer.stop();
        await reader.stop();
      }
    },
    90_000,
  );
});
