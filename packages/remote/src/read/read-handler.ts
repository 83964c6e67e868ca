import {
  type Clock,
  DecodeError,
  errorText,
  type HttpResponse,
  InputError,
  LimitError,
  Slices,
} from '@pollux/base';
import { type Exchange, type RouteHandler, text } from '@pollux/http';
import { type Labels, Matcher } from '@pollux/model';
import {
  type ChunkSink,
  type ChunkSource,
  MemoryBudget,
  NO_HINTS,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesColumns,
} from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import { snappyDecode, snappyEncode } from '../codec/snappy.ts';
import { ChunkFrameWriter } from '../codec/v1/chunk-frames.ts';
import { CHUNKED_CONTENT_TYPE, OWN_LABELS } from '../codec/v1/chunked-response.ts';
import { decodeReadRequest, type ReadQuery, type ReadRequest } from '../codec/v1/read-request.ts';
import { encodeReadResponse, QueryResultEncoder } from '../codec/v1/read-response.ts';
import { withExternal, withoutExternal } from './external-labels.ts';

const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** What is read from. */
type ReadSource = Pick<Queryable, 'select' | 'selectChunks'>;

export type ReadHandlerOptions = {
  readonly clock: Clock;
  /**
   * Who answers: a server's storage, or a store's engine by database. An InputError it throws is answered with 400. A
   * store gives a Queryable that applies the replica rule (`splitReplica` of @pollux/storage).
   */
  readonly queryable: (exchange: Exchange) => ReadSource | Promise<ReadSource>;
  /** A server's own: matchers that name them are dropped, and they are added to the answer. None for a store. */
  readonly externalLabels: () => Labels;
  readonly registry: Registry;
  readonly log: Log;
  /** `--storage.remote.read-sample-limit`: most samples of one answer in samples; 0 = no limit. */
  readonly maxSamples: number;
  /** `--storage.remote.read-concurrent-limit`: requests worked on at a time; more are refused. 0 = no limit. */
  readonly maxConcurrent: number;
  /** Bytes that one request may hold. */
  readonly maxMemoryBytes: number;
};

/** One request that is worked on. */
type Reading = {
  readonly request: ReadRequest;
  readonly queryable: ReadSource;
  readonly context: ReadContext;
  readonly external: Labels;
};

/** The remote read endpoint: `POST /api/v1/read`, answers in samples, or in chunks as they are read where the client prefers these. */
export function readHandler(options: ReadHandlerOptions): RouteHandler {
  const running = options.registry.gauge(
    'prometheus_remote_read_handler_queries',
    'The current number of remote read requests that are either in execution or queued on the handler.',
  );
  return async (exchange) => {
    if (options.maxConcurrent > 0 && running.value >= options.maxConcurrent) {
      return text(
        429,
        `more than ${options.maxConcurrent} remote read requests at a time; raise --storage.remote.read-concurrent-limit\n`,
      );
    }
    running.inc();
    let isStreaming = false;
    let isOver = false;
    const leave = (): void => {
      if (!isOver) running.dec();
      isOver = true;
    };
    try {
      const reading = await open(exchange, options);
      if (reading.request.accepted[0] !== 'streamed-xor-chunks') {
        return await inSamples(reading, options);
      }
      const frames = framesOf(reading, options);
      // What is wrong with the request shows before the first frame: it can still be told.
      const first = await frames.next();
      isStreaming = first.done !== true;
      // Nobody may ever ask for the rest.
      if (isStreaming) exchange.signal.addEventListener('abort', leave, { once: true });
      const isOwn = reading.request.queries.every(({ buckets }) => buckets !== undefined);
      const more = isOwn ? `; ${OWN_LABELS}` : '';
      return {
        status: 200,
        headers: {
          'content-type': `${CHUNKED_CONTENT_TYPE}; proto=prometheus.ChunkedReadResponse${more}`,
        },
        body: first.done === true ? new Uint8Array() : going(first.value, frames, leave, options),
      };
    } catch (error) {
      return errorAnswer(error, options.log);
    } finally {
      if (!isStreaming) leave();
    }
  };
}

async function open(exchange: Exchange, options: ReadHandlerOptions): Promise<Reading> {
  const body = await exchange.request.body(MAX_BODY_BYTES);
  const request = decodeReadRequest(await snappyDecode(body));
  return {
    request,
    queryable: await options.queryable(exchange),
    context: { signal: exchange.signal, budget: new MemoryBudget(options.maxMemoryBytes) },
    external: options.externalLabels(),
  };
}

async function inSamples(reading: Reading, options: ReadHandlerOptions): Promise<HttpResponse> {
  const limit = { samplesLeft: options.maxSamples > 0 ? options.maxSamples : Infinity };
  const results: Uint8Array[] = [];
  for (const query of reading.request.queries) {
    results.push(await resultOf(query, reading, { ...options, limit }));
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: snappyEncode(encodeReadResponse(results)),
  };
}

async function resultOf(
  query: ReadQuery,
  reading: Reading,
  options: ReadHandlerOptions & { readonly limit: { samplesLeft: number } },
): Promise<Uint8Array> {
  const { budget } = reading.context;
  const encoder = new QueryResultEncoder();
  let held = 0;
  for await (const batch of batchesOf(query, reading)) {
    for (const columns of batch) {
      options.limit.samplesLeft -= columns.count;
      if (options.limit.samplesLeft < 0) {
        throw new LimitError(
          'REMOTE.READ_SAMPLE_LIMIT',
          'storage.remote.read-sample-limit',
          `exceeded sample limit (${options.maxSamples}); narrow the query or raise --storage.remote.read-sample-limit`,
        );
      }
      encoder.add(columns);
    }
    budget.take(encoder.size - held);
    held = encoder.size;
  }
  return encoder.bytes();
}

/** Frames as they become full; nothing else of the answer is held. */
async function* framesOf(
  reading: Reading,
  { clock }: ReadHandlerOptions,
): AsyncGenerator<Uint8Array, void> {
  const slices = new Slices(clock, reading.context.signal);
  for (const [index, query] of reading.request.queries.entries()) {
    const writer = new ChunkFrameWriter(index);
    const { queryable, context, external } = reading;
    const { buckets } = query;
    const stored =
      buckets === undefined
        ? (queryable.selectChunks?.(selectOf(query, external), context) ?? null)
        : null;
    if (stored !== null) yield* passedOn(stored, writer, external);
    else {
      for await (const batch of batchesOf(query, reading)) {
        for (const columns of batch) {
          if (slices.isOver) await slices.pause();
          if (buckets === undefined) writer.add(columns);
          else writer.addBuckets(columns, buckets);
        }
        yield* writer.takeFull();
      }
    }
    yield* writer.finish();
  }
}

/** Chunks that are neither decoded nor encoded on the way. */
async function* passedOn(
  source: ChunkSource,
  writer: ChunkFrameWriter,
  external: Labels,
): AsyncGenerator<Uint8Array, void> {
  const named: ChunkSink = external.isEmpty
    ? writer
    : {
        begin: (labels) => writer.begin(withExternal(labels, external)),
        chunk: (encoding, bytes, times) => writer.chunk(encoding, bytes, times),
        samples: (columns) => writer.samples(columns),
        end: () => writer.end(),
      };
  try {
    while (await source.next(named)) yield* writer.takeFull();
  } finally {
    source.close();
  }
}

/** The rest of an answer that has begun: what goes wrong now cuts it off. */
async function* going(
  first: Uint8Array,
  frames: AsyncGenerator<Uint8Array, void>,
  leave: () => void,
  { log }: ReadHandlerOptions,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield first;
    yield* frames;
  } catch (error) {
    log.error('remote read failed', { err: errorText(error) });
    throw error;
  } finally {
    leave();
  }
}

/**
 * Series with the external labels, in order; a batch is good until the next. Who asks for buckets would take the labels off again, and
 * is given them as that would leave them.
 */
async function* batchesOf(
  query: ReadQuery,
  { queryable, context, external }: Reading,
): AsyncGenerator<readonly SeriesColumns[], void> {
  const source = queryable.select(selectOf(query, external), context);
  const { buckets } = query;
  const shown = (own: Labels): Labels =>
    buckets === undefined ? withExternal(own, external) : withoutExternal(own, external);
  try {
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      yield external.isEmpty
        ? batch
        : batch.map((one) => {
            const labels = shown(one.labels);
            return labels === one.labels ? one : { ...one, labels };
          });
    }
  } finally {
    source.close();
  }
}

function selectOf(query: ReadQuery, external: Labels): SelectRequest {
  const range = { minMs: query.startMs, maxMs: query.endMs };
  const hints = query.hints ?? { ...NO_HINTS, startMs: query.startMs, endMs: query.endMs };
  const matchers = localMatchers(query.matchers, external);
  return { range, hints, matchers, sorted: true, isLent: true };
}

/**
 * Local series do not carry the external labels: an equality matcher on one, with its value, is true for all of them and
 * becomes a matcher for the empty value.
 */
export function localMatchers(matchers: readonly Matcher[], external: Labels): readonly Matcher[] {
  return matchers.map((matcher) => {
    const isOwn =
      matcher.operator === '=' &&
      matcher.value !== '' &&
      external.get(matcher.name) === matcher.value;
    return isOwn ? new Matcher(matcher.name, '=', '') : matcher;
  });
}

function errorAnswer(error: unknown, log: Log): HttpResponse {
  if (error instanceof LimitError) {
    const status = error.code === 'HTTP.BODY_TOO_LARGE' ? 413 : 400;
    return text(status, `${errorText(error)}\n`);
  }
  if (error instanceof DecodeError || error instanceof InputError) {
    return text(400, `${errorText(error)}\n`);
  }
  log.error('remote read failed', { err: errorText(error) });
  return text(500, `${errorText(error)}\n`);
}
