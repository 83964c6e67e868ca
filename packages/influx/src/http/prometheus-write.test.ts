import * as fs from 'node:fs';
import { ByteWriter, errorText, type File, OperatingError, VirtualClock } from '@pollux/base';
import { NodeFiles, nodeEnv } from '@pollux/base/node';
import { METRIC_NAME, wordsOf } from '@pollux/model';
import { decodeLabels, decodeWriteRequest, snappyDecode, snappyEncode } from '@pollux/remote';
import { ALL_TIME, type PointColumns, type SeriesKey, splitReplicaLabels } from '@pollux/storage';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { TestStore } from '../../test/harness.ts';

const NOW = Date.UTC(2024, 5, 12);
const DAY = 86_400_000;
const REPLICA_LABELS = ['prometheus_replica', 'zone'];
const MAX_MS = 9_223_372_036_854;

type Pair = readonly [name: string | Uint8Array, value: string | Uint8Array];
type Wire = {
  readonly labels: readonly Pair[];
  readonly samples: readonly (readonly [ms: number, value: number])[];
  /** Samples stand between the label fields. */
  readonly isScattered: boolean;
};

function field(target: ByteWriter, tag: number, bytes: Uint8Array): void {
  target.uvarint(tag);
  target.uvarint(bytes.length);
  target.raw(bytes);
}

function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text) : text;
}

function bodyOf(series: readonly Wire[]): Uint8Array {
  const request = new ByteWriter();
  for (const { labels, samples, isScattered } of series) {
    const whole = new ByteWriter();
    const rows = samples.map(([ms, value]) => {
      const sample = new ByteWriter();
      sample.u8(0x09);
      sample.f64le(value);
      sample.u8(0x10);
      sample.uvarint64(BigInt(ms));
      return sample.take();
    });
    for (const [name, value] of labels) {
      const label = new ByteWriter();
      field(label, 0x0a, bytesOf(name));
      field(label, 0x12, bytesOf(value));
      field(whole, 0x0a, label.bytes());
      if (isScattered && rows.length > 0) field(whole, 0x12, rows.shift()!);
    }
    for (const row of rows) field(whole, 0x12, row);
    field(request, 0x0a, whole.bytes());
  }
  return snappyEncode(request.take());
}

function cellsOf(values: Float64Array, rows: readonly number[]): Float64Array {
  const cells = new Float64Array(rows.length);
  const [source, target] = [wordsOf(values), wordsOf(cells)];
  for (const [at, row] of rows.entries()) {
    target.set(source.subarray(row * 2, row * 2 + 2), at * 2);
  }
  return cells;
}

/** The straight way: label sets as strings, points of the engine; the status and the error's text. */
async function writePlainly(
  store: TestStore,
  series: readonly Wire[],
  policy: string,
): Promise<{ status: number; error: string }> {
  try {
    const request = decodeWriteRequest(await snappyDecode(bodyOf(series)));
    const keys: SeriesKey[] = [];
    for (let i = 0; i < request.seriesCount; i++) {
      const { labelData, labelStarts, labelEnds } = request;
      const { labels } = decodeLabels(labelData, labelStarts[i]!, labelEnds[i]!);
      const { labels: tags, replica } = splitReplicaLabels(labels, REPLICA_LABELS);
      const measurement = tags.get(METRIC_NAME) || 'prom_metric_not_specified';
      keys.push({ measurement, tags, replica });
    }
    const rows: number[] = [];
    let reserved: SeriesKey | null = null;
    for (let j = 0; j < request.sampleCount; j++) {
      const key = keys[request.sampleSeries[j]!]!;
      if (key.tags.has('time')) reserved ??= key;
      else if (Math.abs(request.timestampsMs[j]!) <= MAX_MS) rows.push(j);
    }
    const batch: PointColumns = {
      count: rows.length,
      series: keys,
      fields: [{ name: 'value', kind: 'float' }],
      seriesOf: Uint32Array.from(rows, (j) => request.sampleSeries[j]!),
      fieldOf: new Uint32Array(rows.length),
      timesMs: Float64Array.from(rows, (j) => request.timestampsMs[j]!),
      nanos: null,
      cells: cellsOf(request.values, rows),
      texts: [],
      pointOf: null,
    };
    await store.service.context.writer.write('db', policy, batch);
    const dropped = request.sampleCount - rows.length;
    if (dropped === 0) return { status: 204, error: '' };
    const reason =
      reserved === null
        ? 'time outside 1677 to 2262'
        : `invalid tag key: input tag "time" on measurement "${reserved.measurement}" is invalid`;
    return { status: 400, error: `partial write: ${reason} dropped=${dropped}` };
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    return { status: error.code === 'INFLUX.META' ? 500 : 400, error: errorText(error) };
  }
}

/** Everything in a policy, by the bits of values, and what is known of its replicas and groups. */
function dump({ store }: TestStore, policy: string): string[] {
  const view = store.view('db', policy, ALL_TIME);
  const lines: string[] = [];
  for (const measurement of view.measurements()) {
    for (const series of view.series(measurement)) {
      for (const { name, kind } of view.fieldsOf(series)) {
        for (const { replica, data } of view.read(series, name, kind)) {
          const bits = new BigUint64Array(data.cells.buffer, data.cells.byteOffset, data.count);
          for (let i = 0; i < data.count; i++) {
            const value = kind === 'float' ? bits[i] : data.texts?.[data.cells[i]!];
            lines.push(
              `${measurement} ${series.tags} ${name} ${replica} @${data.timesMs[i]} ${value}`,
            );
          }
        }
      }
    }
  }
  view.release();
  for (const row of store.watermarks()) lines.push(JSON.stringify(row));
  for (const { startMs, endMs } of store.groups()) lines.push(`group ${startMs} ${endMs}`);
  return lines.sort();
}

/** Nothing here ends the machine, and waiting for the disk would take most of the time. */
class UnsyncedFiles extends NodeFiles {
  override open(filePath: string, mode: 'r' | 'r+' | 'w' | 'wx' | 'a'): File {
    const file = super.open(filePath, mode);
    file.datasync = async () => {};
    file.sync = () => {};
    return file;
  }

  override replaceFile(filePath: string, data: Uint8Array | string): void {
    fs.writeFileSync(filePath, data);
  }

  override syncDirectory(): void {}
}

/** A clock under which every slice of time is over at once. */
class HurriedClock extends VirtualClock {
  #looks = 0;

  override monotonic(): number {
    return super.monotonic() + this.#looks++ * 10;
  }
}

const texts = fc.constantFrom(
  'a',
  'b',
  'job',
  'é',
  '名',
  '',
  'x'.repeat(140),
  '\u{1f600}',
  '\ufeffa',
);
const malformed = fc.constantFrom(Uint8Array.of(0xff), Uint8Array.of(0x61, 0xc3));
const names = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(METRIC_NAME, 'instance', ...REPLICA_LABELS) },
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'é', 'job') },
  { weight: 1, arbitrary: fc.constantFrom('time', '', 'é'.repeat(70)) },
);
const pairs: fc.Arbitrary<Pair> = fc.tuple(names, texts);
const times = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(0, 1, 2, 8 * DAY, -3 * DAY).map((ms) => NOW + ms) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(NOW - 100 * DAY, 0, -1, MAX_MS, MAX_MS + 1, -MAX_MS - 1),
  },
);
const values = fc.constantFrom(0, -0, 1, 2.5, Number.NaN, Number.POSITIVE_INFINITY);
const sorted = fc
  .uniqueArray(
    pairs.filter(([, value]) => value !== ''),
    { selector: ([name]) => name, maxLength: 6 },
  )
  .map((labels) =>
    [...labels, [METRIC_NAME, 'm'] as Pair]
      .filter(([name], i, all) => name !== '' && all.findIndex(([other]) => other === name) === i)
      .sort(([a], [b]) => Buffer.compare(bytesOf(a), bytesOf(b))),
  );
const wires: fc.Arbitrary<Wire> = fc.record({
  labels: fc.oneof(
    { weight: 8, arbitrary: sorted },
    { weight: 2, arbitrary: fc.array(pairs, { maxLength: 5 }) },
  ),
  samples: fc.array(fc.tuple(times, values), { maxLength: 4 }),
  isScattered: fc.boolean(),
});
const broken: fc.Arbitrary<Wire> = fc.record({
  labels: fc.tuple(sorted, fc.tuple(names, malformed)).map(([labels, pair]) => [...labels, pair]),
  samples: fc.array(fc.tuple(times, values), { maxLength: 1 }),
  isScattered: fc.constant(false),
});
const requests = fc.oneof(
  { weight: 12, arbitrary: fc.array(wires, { maxLength: 8 }) },
  { weight: 1, arbitrary: fc.array(fc.oneof(wires, broken), { minLength: 1, maxLength: 3 }) },
);
const steps = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      /** Of a request before, or a new one. */
      again: fc.option(fc.nat(5), { nil: null }),
      request: requests,
      policy: fc.constantFrom('', '', 'short', 'none'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('flush', 'restart', 'drop') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('text' as const), ms: times }) },
);

describe('samples of a remote write', () => {
  const stores: TestStore[] = [];
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });

  async function open(store: TestStore): Promise<TestStore> {
    const settings = { INFLUXDB_HA_REPLICA_LABELS: REPLICA_LABELS.join(',') };
    stores.push(store);
    return store.open(settings, {
      ...nodeEnv(),
      clock: new HurriedClock(NOW),
      files: new UnsyncedFiles(),
    });
  }

  it('are stored, refused and told as if each were a point made of strings', async () => {
    const reading = fc.constantFrom({}, { maxNumbers: 4 }, { kernel: null });
    await fc.assert(
      fc.asyncProperty(
        reading,
        fc.array(steps, { minLength: 1, maxLength: 12 }),
        async (how, all) => {
          let [taken, plain] = [
            await open(new TestStore(undefined, how)),
            await open(new TestStore()),
          ];
          for (const store of [taken, plain]) {
            await store.query('create database db');
            await store.query('create retention policy short on db duration 30d replication 1');
          }
          const sent: (readonly Wire[])[] = [];
          for (const step of all) {
            if (step.kind === 'write') {
              const request = (step.again === null ? undefined : sent[step.again]) ?? step.request;
              sent.push(request);
              const { status, text } = await taken.request(
                'POST',
                `/api/v1/prom/write?db=db&rp=${step.policy}`,
                { body: bodyOf(request) },
              );
              const error = text === '' ? '' : (JSON.parse(text) as { error: string }).error;
              expect({ status, error }).toEqual(await writePlainly(plain, request, step.policy));
            } else if (step.kind === 'text') {
              for (const store of [taken, plain]) {
                await store.write('db', `a value="t" ${step.ms}\nm value="t" ${step.ms}`, {
                  precision: 'ms',
                });
              }
            } else if (step.kind === 'flush') {
              for (const { store } of [taken, plain]) await store.flush();
            } else if (step.kind === 'drop') {
              for (const { store } of [taken, plain])
                for (const { id } of store.groups().slice(0, 1)) await store.dropGroup(id);
            } else {
              for (const store of [taken, plain]) {
                await store.service.close();
                await store.store.close();
              }
              taken = await open(new TestStore(taken.directory, how));
              plain = await open(new TestStore(plain.directory));
            }
            for (const policy of ['autogen', 'short']) {
              expect(dump(taken, policy)).toEqual(dump(plain, policy));
            }
          }
          for (const store of stores.splice(0)) await store.close();
        },
      ),
      { numRuns: 15 },
    );
  }, 120_000);

  it('of very many new series come in slices of time, while other requests wait for their turn', async () => {
    const store = await open(new TestStore());
    await store.query('create database db');
    const request = (writer: number): Wire[] =>
      Array.from({ length: 500 }, (_, i) => ({
        labels: [
          [METRIC_NAME, 'm'],
          ['i', `${i % 300}`],
          ['prometheus_replica', `${writer}`],
        ],
        samples: [[NOW + i, writer]],
        isScattered: false,
      }));
    const path = '/api/v1/prom/write?db=db';
    const bodies = [1, 2, 3, 1].map((writer) => bodyOf(request(writer)));
    const answers = await Promise.all(bodies.map((body) => store.request('POST', path, { body })));
    expect(answers.map(({ status }) => status)).toEqual([204, 204, 204, 204]);
    const plain = await open(new TestStore());
    await plain.query('create database db');
    for (const writer of [1, 2, 3]) await writePlainly(plain, request(writer), '');
    expect(dump(store, 'autogen')).toEqual(dump(plain, 'autogen'));
  });
});
