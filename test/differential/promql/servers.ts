import { Labels, NORMAL_NAN_HIGH, NORMAL_NAN_LOW, setStaleAt, wordsOf } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder } from '@pollux/remote';
import { startPrometheus } from '../../peers/real-prometheus.ts';
import { RunningRole, Scratch } from '../../system/running-role.ts';
import { type DataSample, type DataSeries, LENGTH_MS, START_MS } from './data.ts';
import type { Peer } from './peer.ts';

/** Both servers with the same samples. */
export type Pair = {
  readonly ours: string;
  readonly theirs: string;
  /** Query logs of both. */
  readonly logs: { readonly ours: string; readonly theirs: string };
  close(): Promise<void>;
};

const EXPERIMENTS = [
  'promql-experimental-functions',
  'promql-extended-range-selectors',
  'promql-binop-fill-modifiers',
];
const OURS = { '2.42': ['promql-experimental-functions'], '3.x': EXPERIMENTS } as const;
const THEIRS = { '2.42': ['native-histograms'], '3.x': EXPERIMENTS } as const;

/** Time that one write request covers; a head takes nothing older than an hour before its newest sample. */
const SLICE_MS = 10 * 60_000;

/** `features` are switched on in both beside what the dialect asks about; `more` are flags of both. */
export async function startPair(
  data: readonly DataSeries[],
  peer: Peer,
  features: readonly string[],
  more: readonly string[] = [],
): Promise<Pair> {
  const scratch = new Scratch();
  const flags = (name: string): string[] => [
    `--config.file=${scratch.file(`${name}.yml`, `global: {evaluation_interval: 30s, query_log_file: ${name}.log}\n`)}`,
    `--storage.tsdb.path=${scratch.at(name)}`,
    '--storage.tsdb.retention.time=100y',
    '--web.enable-remote-write-receiver',
    ...more,
  ];
  const started = await Promise.allSettled([
    RunningRole.start([
      'server',
      ...flags('ours'),
      '--web.listen-address=127.0.0.1:0',
      `--enable-feature=${[...OURS[peer.dialect], ...features].join(',')}`,
    ]),
    startPrometheus(
      [...flags('theirs'), `--enable-feature=${[...THEIRS[peer.dialect], ...features].join(',')}`],
      peer.binary,
    ),
  ]);
  const [ours, theirs] = started;
  const close = async (): Promise<void> => {
    if (ours.status === 'fulfilled') await ours.value.end();
    if (theirs.status === 'fulfilled') await theirs.value.stop();
    scratch.remove();
  };
  try {
    if (ours.status === 'rejected') throw ours.reason;
    if (theirs.status === 'rejected') throw theirs.reason;
    await fill([ours.value.url, theirs.value.url], data);
    const logs = { ours: scratch.at('ours.log'), theirs: scratch.at('theirs.log') };
    return { ours: ours.value.url, theirs: theirs.value.url, logs, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** As {@link startPair}, ours being a store. */
export async function startStorePair(
  data: readonly DataSeries[],
  peer: Peer,
  features: readonly string[],
): Promise<Pair> {
  const scratch = new Scratch();
  const close: (() => Promise<void>)[] = [async () => scratch.remove()];
  const end = async (): Promise<void> => {
    for (const each of close.reverse()) await each();
  };
  try {
    const ours = await RunningRole.start(
      [
        'store',
        `--data.dir=${scratch.at('ours')}`,
        '--http.bind-address=127.0.0.1:0',
        `--enable-feature=${[...OURS[peer.dialect], ...features].join(',')}`,
      ],
      { INFLUXDB_DB: 'prometheus' },
    );
    close.push(async () => void (await ours.end()));
    const theirs = await startPrometheus(
      [
        `--config.file=${scratch.file('theirs.yml', 'global: {evaluation_interval: 1m}\n')}`,
        `--storage.tsdb.path=${scratch.at('theirs')}`,
        '--storage.tsdb.retention.time=100y',
        '--web.enable-remote-write-receiver',
        `--enable-feature=${[...THEIRS[peer.dialect], ...features].join(',')}`,
      ],
      peer.binary,
    );
    close.push(() => theirs.stop());
    await fill([theirs.url], data);
    await fill([ours.url], data, '/api/v1/prom/write?db=prometheus');
    return { ours: ours.url, theirs: theirs.url, logs: { ours: '', theirs: '' }, close: end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Gives servers samples, by remote write. */
export async function fill(
  urls: readonly string[],
  data: readonly DataSeries[],
  path = '/api/v1/write',
): Promise<void> {
  for (const body of writeRequests(data)) for (const url of urls) await write(url + path, body);
}

/**
 * The first request introduces every series by its first sample, in the order of labels: Prometheus goes through series in
 * the order in which they came, and takes some of them (limitk), names some of them (in errors), by it.
 */
function* writeRequests(unordered: readonly DataSeries[]): Iterable<Uint8Array<ArrayBuffer>> {
  const data = unordered
    .map((series) => ({ ...series, labels: Labels.from(series.labels) }))
    .sort((a, b) => a.labels.compare(b.labels));
  const first = new TimeSeriesEncoder();
  for (const { labels, samples } of data)
    encode(first, encodeLabels(labels), samples.slice(0, 1), typeof samples[0]?.value === 'object');
  yield snappyEncode(first.bytes()) as Uint8Array<ArrayBuffer>;
  for (let fromMs = START_MS; fromMs < START_MS + LENGTH_MS; fromMs += SLICE_MS) {
    const encoder = new TimeSeriesEncoder();
    for (const { labels, samples: all } of data) {
      const samples = all.slice(1);
      const fields = encodeLabels(labels);
      encode(
        encoder,
        fields,
        samples.filter(({ timestampMs: at }) => at >= fromMs && at < fromMs + SLICE_MS),
        samples.some(({ value }) => typeof value === 'object'),
      );
    }
    yield snappyEncode(encoder.bytes()) as Uint8Array<ArrayBuffer>;
  }
}

function encode(
  encoder: TimeSeriesEncoder,
  fields: Uint8Array,
  samples: readonly DataSample[],
  areHistograms: boolean,
): void {
  if (!areHistograms) {
    const values = Float64Array.from(samples, ({ value }) =>
      value === 'stale' ? 0 : (value as number),
    );
    const words = wordsOf(values);
    for (const [i, { value }] of samples.entries()) {
      if (value === 'stale') setStaleAt(words, i);
      else if (Number.isNaN(value)) words.set([NORMAL_NAN_LOW, NORMAL_NAN_HIGH], i * 2);
    }
    const timestampsMs = Float64Array.from(samples, ({ timestampMs }) => timestampMs);
    encoder.run(fields, { timestampsMs, words }, 0, samples.length);
    return;
  }
  const template = samples.find(({ value }) => typeof value === 'object')?.value;
  for (const { timestampMs, value } of samples) {
    if (typeof value === 'object') encoder.histogram(fields, timestampMs, value);
    else if (typeof template === 'object')
      encoder.histogram(fields, timestampMs, { ...template, isStale: true });
  }
}

async function write(url: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
    },
    body,
  });
  if (answer.status !== 204) throw new Error(`${url} took no samples: ${await answer.text()}`);
}
