import {
  errorText,
  type HttpResponse,
  OperatingError,
  Slices,
  stopAfter,
  TimeoutError,
} from '@pollux/base';
import type { Exchange } from '@pollux/http';
import {
  MemoryBudget,
  type MetricMetadata,
  type PlacedSamples,
  type Queryable,
  type SeriesColumns,
  type SeriesSource,
} from '@pollux/storage';
import type { PrometheusQuery, PrometheusRead } from '../codec-port.ts';
import type { PrometheusView } from '../engine-port.ts';
import { MetaError } from '../meta/errors.ts';
import { PartialWriteError } from '../write/errors.ts';
import { failure, noContent } from './answers.ts';
import type { HttpContext } from './context.ts';
import { readBody } from './request-body.ts';
import { writeFailure } from './write-routes.ts';

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
    const place = { database, retentionPolicy: exchange.query.get('rp') ?? '' };
    const { write, refusal: unreadable } = await placeBody(context, body, place);
    if (write === null) {
      context.metrics.writeErrors.inc();
      return unreadable;
    }
    const outcome = await context.writer.commit(write.placed);
    if (write.metadata.length > 0)
      await context.writer.writeMetadata(place.database, place.retentionPolicy, write.metadata);
    const { refusedSamples, reservedMeasurement } = outcome;
    context.metrics.points.inc(write.sampleCount - refusedSamples);
    if (refusedSamples > 0)
      throw new PartialWriteError(refusalReason(reservedMeasurement), refusedSamples);
    return noContent();
  } catch (error) {
    context.metrics.writeErrors.inc();
    return writeFailure(error);
  }
}

/** Prometheus' view of what a request may read of a database, or its refusal. */
export function openPrometheusRead(
  context: HttpContext,
  exchange: Exchange,
  place: { readonly database: string; readonly retentionPolicy: string },
): PrometheusView | HttpResponse {
  const refusal = context.access.refuseRead(exchange, place.database);
  if (refusal !== null) return refusal;
  try {
    return context.viewOf(place.database, place.retentionPolicy);
  } catch (error) {
    if (error instanceof MetaError) return failure(404, error.message);
    throw error;
  }
}

type PlacedWrite = {
  readonly placed: PlacedSamples;
  readonly sampleCount: number;
  readonly metadata: readonly MetricMetadata[];
};

/** Decodes a body and finds out where its samples go; the answer instead when it cannot be read. */
async function placeBody(
  context: HttpContext,
  body: Uint8Array,
  to: { readonly database: string; readonly retentionPolicy: string },
): Promise<
  | { readonly write: PlacedWrite; readonly refusal: null }
  | { readonly write: null; readonly refusal: HttpResponse }
> {
  let isDecoded = false;
  try {
    const write = await context.codec.decodeWrite(body, async (columns) => {
      isDecoded = true;
      const placed = await context.writer.place(to.database, to.retentionPolicy, columns);
      const { sampleCount, histograms, metadata } = columns;
      return { placed, sampleCount: sampleCount + histograms.length, metadata };
    });
    return { write, refusal: null };
  } catch (error) {
    // What the engine says is no fault of the body.
    if (!isDecoded && OperatingError.is(error))
      return { write: null, refusal: failure(400, error.message) };
    throw error;
  }
}

function refusalReason(reservedMeasurement: string | null): string {
  return reservedMeasurement === null
    ? 'time outside 1677 to 2262'
    : `invalid tag key: input tag "time" on measurement "${reservedMeasurement}" is invalid`;
}

/** POST /api/v1/prom/read. */
export async function servePrometheusRead(
  context: HttpContext,
  exchange: Exchange,
): Promise<HttpResponse> {
  const databaseName = exchange.query.get('db') ?? '';
  let read: PrometheusRead;
  try {
    read = await context.codec.decodeRead(await readBody(exchange.request, context.maxBodyBytes));
  } catch (error) {
    if (OperatingError.is(error))
      return failure(error.code === 'HTTP.BODY_TOO_LARGE' ? 413 : 400, error.message);
    throw error;
  }
  const [query] = read.queries;
  if (read.queries.length !== 1) {
    return failure(400, 'Prometheus read endpoint currently only supports one query at a time');
  }
  if (query === undefined || query.matchers.length === 0) return failure(400, 'expected matcher');
  const database = context.meta.database(databaseName);
  if (database === null) return failure(400, 'no database');
  const refusal = context.access.refuseRead(exchange, databaseName);
  if (refusal !== null) return refusal;
  try {
    const policy = context.meta.requirePolicy(database, exchange.query.get('rp') ?? '');
    // Of series without samples there are no chunks.
    const isNamesOnly = query.hints.func === 'series' && read.acceptsSamples;
    const hints = isNamesOnly ? query.hints : { ...query.hints, func: '' };
    const reading = new Reading(context, exchange, {
      queryable: context.viewOf(databaseName, policy.name).queryable,
      query: { ...query, hints },
    });
    return await (read.prefersChunks && !isNamesOnly ? reading.inChunks() : reading.inSamples());
  } catch (error) {
    if (error instanceof MetaError) return failure(400, 'invalid retention policy');
    if (OperatingError.is(error))
      return failure(error.code === 'STORAGE.MEMORY_LIMIT' ? 422 : 500, error.message);
    throw error;
  }
}

/** The answer to one query. */
class Reading {
  readonly #context: HttpContext;
  readonly #limit: ReturnType<typeof stopAfter>;
  readonly #source: SeriesSource;
  readonly #budget = new MemoryBudget(READ_BUDGET_BYTES, 'prom-read.max-memory');

  constructor(
    context: HttpContext,
    exchange: Exchange,
    { queryable, query }: { readonly queryable: Queryable; readonly query: PrometheusQuery },
  ) {
    const late = (): Error =>
      new TimeoutError(`remote read took longer than ${READ_TIMEOUT_MS} ms`);
    this.#context = context;
    this.#limit = stopAfter(context.clock, READ_TIMEOUT_MS, late, exchange.signal);
    // influxd takes zero and below for open ends, which misreads ranges before 1970; ours are taken as they are.
    const range = { minMs: query.startMs, maxMs: query.endMs };
    const { matchers, hints } = query;
    const { signal } = this.#limit;
    this.#source = queryable.select(
      { range, matchers, hints, sorted: true },
      { signal, budget: this.#budget },
    );
    // Nobody may ever ask for the rest of an answer.
    signal.addEventListener('abort', () => this.#source.close(), { once: true });
  }

  async inSamples(): Promise<HttpResponse> {
    const series: SeriesColumns[] = [];
    let bytes = 0;
    for await (const batch of this.#batches()) {
      for (const columns of batch) {
        series.push(columns);
        bytes += columns.count * 16;
      }
      this.#budget.take(bytes);
      this.#budget.give(bytes);
    }
    return {
      status: 200,
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
      body: await this.#context.codec.encodeRead([series]),
    };
  }

  /** Holds a batch and a frame, however long the answer is. */
  async inChunks(): Promise<HttpResponse> {
    const { codec } = this.#context;
    const frames = codec.encodeChunks(this.#batches());
    // What is wrong shows before the first frame, while it can still be told.
    const first = await frames.next();
    return {
      status: 200,
      headers: { 'content-type': codec.chunkedContentType },
      body: first.done === true ? new Uint8Array() : this.#going(first.value, frames),
    };
  }

  /** What goes wrong from now on cuts the answer off. */
  async *#going(first: Uint8Array, frames: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield first;
      yield* frames;
    } catch (error) {
      this.#context.log.error('remote read failed', { err: errorText(error) });
      throw error;
    }
  }

  /** Lets others run between batches. */
  async *#batches(): AsyncGenerator<readonly SeriesColumns[], void> {
    const slices = new Slices(this.#context.clock, this.#limit.signal);
    try {
      for (
        let batch = await this.#source.next();
        batch !== null;
        batch = await this.#source.next()
      ) {
        yield batch;
        if (slices.isOver) await slices.pause();
      }
    } finally {
      this.#source.close();
      this.#limit.release();
    }
  }
}
