import { type HttpResponse, OperatingError, withTimeout } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { type Labels, METRIC_NAME } from '@pollux/model';
import { MemoryBudget, NO_HINTS, type SeriesColumns, splitReplicaLabels } from '@pollux/storage';
import type { PrometheusQuery, PrometheusWrite } from '../codec-port.ts';
import type { PointColumns, SeriesKey } from '../engine-port.ts';
import { MetaError } from '../meta/errors.ts';
import { PartialWriteError } from '../write/errors.ts';
import { failure, noContent } from './answers.ts';
import type { HttpContext } from './context.ts';
import { readBody } from './request-body.ts';
import { writeFailure } from './write-routes.ts';

const NAMELESS = 'prom_metric_not_specified';
const MAX_MS = 9_223_372_036_854;
const READ_TIMEOUT_MS = 120_000;
const READ_BUDGET_BYTES = 1024 ** 3;

/** POST /api/v1/prom/write: acknowledged only after the sync. */
export async function servePrometheusWrite(
  context: HttpContext,
  exchange: Exchange,
): Promise<HttpResponse> {
  const database = exchange.query.get('db') ?? '';
  if (database === '') return failure(400, 'database is required');
  if (context.meta.database(database) === null)
    return failure(404, `database not found: "${database}"`);
  const refusal = context.access.refuseWrite(exchange, database);
  if (refusal !== null) return refusal;
  try {
    const body = await readBody(exchange.request, context.maxBodyBytes);
    context.metrics.writeRequests.inc();
    let write: PrometheusWrite;
    try {
      write = await context.codec.decodeWrite(body);
    } catch (error) {
      context.metrics.writeErrors.inc();
      if (OperatingError.is(error)) return failure(400, error.message);
      throw error;
    }
    const { batch, droppedSamples } = toPoints(write, context.replicaLabels);
    await context.writer.write(database, exchange.query.get('rp') ?? '', batch);
    context.metrics.points.inc(batch.count);
    context.metrics.histogramsDropped.inc(write.histogramCount);
    if (droppedSamples > 0) {
      throw new PartialWriteError(dropReason(write, batch.series), droppedSamples);
    }
    return noContent();
  } catch (error) {
    context.metrics.writeErrors.inc();
    return writeFailure(error);
  }
}

/** Samples as points: measurement = metric name, tags = labels without the replica's, float field `value`. */
function toPoints(
  write: PrometheusWrite,
  replicaLabels: readonly string[],
): { readonly batch: PointColumns; readonly droppedSamples: number } {
  const series: SeriesKey[] = [];
  const isRefused: boolean[] = [];
  for (let i = 0; i < write.seriesCount; i++) {
    const key = keyOf(write.labels(i), replicaLabels);
    series.push(key);
    isRefused.push(key.tags.has('time'));
  }
  const count = write.sampleCount;
  let dropped = 0;
  for (let i = 0; i < count; i++) if (!isStorable(write, isRefused, i)) dropped++;
  const base = {
    series,
    fields: [{ name: 'value', kind: 'float' as const }],
    nanos: null,
    texts: [],
    pointOf: null,
  };
  if (dropped === 0) {
    const fieldOf = new Uint32Array(count);
    const { sampleSeries: seriesOf, timestampsMs: timesMs, values: cells } = write;
    return { batch: { ...base, count, seriesOf, fieldOf, timesMs, cells }, droppedSamples: 0 };
  }
  const kept: number[] = [];
  for (let i = 0; i < count; i++) if (isStorable(write, isRefused, i)) kept.push(i);
  const bits = new BigUint64Array(write.values.buffer, write.values.byteOffset, count);
  const cells = new Float64Array(kept.length);
  const target = new BigUint64Array(cells.buffer);
  for (const [at, row] of kept.entries()) target[at] = bits[row]!;
  return {
    batch: {
      ...base,
      count: kept.length,
      seriesOf: Uint32Array.from(kept, (row) => write.sampleSeries[row]!),
      fieldOf: new Uint32Array(kept.length),
      timesMs: Float64Array.from(kept, (row) => write.timestampsMs[row]!),
      cells,
    },
    droppedSamples: dropped,
  };
}

function dropReason(write: PrometheusWrite, series: readonly SeriesKey[]): string {
  for (let i = 0; i < write.sampleCount; i++) {
    const { tags, measurement } = series[write.sampleSeries[i]!]!;
    if (tags.has('time'))
      return `invalid tag key: input tag "time" on measurement "${measurement}" is invalid`;
  }
  return 'time outside 1677 to 2262';
}

function isStorable(
  write: PrometheusWrite,
  isRefused: readonly boolean[],
  sample: number,
): boolean {
  return (
    Math.abs(write.timestampsMs[sample]!) <= MAX_MS &&
    isRefused[write.sampleSeries[sample]!] !== true
  );
}

function keyOf(labels: Labels, replicaLabels: readonly string[]): SeriesKey {
  const { labels: tags, replica } = splitReplicaLabels(labels, replicaLabels);
  const name = tags.get(METRIC_NAME);
  return { measurement: name === '' ? NAMELESS : name, tags, replica };
}

/** POST /api/v1/prom/read. */
export async function servePrometheusRead(
  context: HttpContext,
  exchange: Exchange,
): Promise<HttpResponse> {
  const databaseName = exchange.query.get('db') ?? '';
  let queries: readonly PrometheusQuery[];
  try {
    queries = await context.codec.decodeRead(
      await readBody(exchange.request, context.maxBodyBytes),
    );
  } catch (error) {
    if (OperatingError.is(error))
      return failure(error.code === 'HTTP.BODY_TOO_LARGE' ? 413 : 400, error.message);
    throw error;
  }
  const [query] = queries;
  if (queries.length !== 1) {
    return failure(400, 'Prometheus read endpoint currently only supports one query at a time');
  }
  if (query === undefined || query.matchers.length === 0) return failure(400, 'expected matcher');
  const database = context.meta.database(databaseName);
  if (database === null) return failure(400, 'no database');
  const refusal = context.access.refuseRead(exchange, databaseName);
  if (refusal !== null) return refusal;
  try {
    const policy = context.meta.requirePolicy(database, exchange.query.get('rp') ?? '');
    const series = await readSeries(context, exchange, {
      database: databaseName,
      policy: policy.name,
      query,
    });
    return {
      status: 200,
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
      body: await context.codec.encodeRead([series]),
    };
  } catch (error) {
    if (error instanceof MetaError) return failure(400, 'invalid retention policy');
    if (OperatingError.is(error))
      return failure(error.code === 'STORAGE.MEMORY_LIMIT' ? 422 : 500, error.message);
    throw error;
  }
}

async function readSeries(
  context: HttpContext,
  exchange: Exchange,
  wanted: { readonly database: string; readonly policy: string; readonly query: PrometheusQuery },
): Promise<SeriesColumns[]> {
  const { query } = wanted;
  // influxd takes zero and below for open ends, which misreads ranges before 1970; ours are taken as they are.
  const range = { minMs: query.startMs, maxMs: query.endMs };
  const queryable = context.engineOf(wanted.database, wanted.policy);
  return withTimeout(
    context.clock,
    READ_TIMEOUT_MS,
    'remote read',
    async (signal) => {
      const budget = new MemoryBudget(READ_BUDGET_BYTES, 'prom-read.max-memory');
      const request = { range, matchers: query.matchers, hints: NO_HINTS, sorted: true };
      const source = queryable.select(request, { signal, budget });
      const series: SeriesColumns[] = [];
      let bytes = 0;
      try {
        for (let batch = await source.next(); batch !== null; batch = await source.next()) {
          for (const columns of batch) {
            series.push(columns);
            bytes += columns.count * 16;
          }
          budget.take(bytes);
          budget.give(bytes);
        }
      } finally {
        source.close();
      }
      return series;
    },
    exchange.signal,
  );
}
