import { DecodeError, errorText, type HttpResponse, InputError, LimitError } from '@pollux/base';
import { type Exchange, type RouteHandler, text } from '@pollux/http';
import { type Labels, LabelsBuilder, Matcher } from '@pollux/model';
import {
  MemoryBudget,
  NO_HINTS,
  type Queryable,
  type ReadContext,
  type SelectRequest,
} from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import { snappyDecode, snappyEncode } from '../codec/snappy.ts';
import { decodeReadRequest, type ReadQuery } from '../codec/v1/read-request.ts';
import { encodeReadResponse, QueryResultEncoder } from '../codec/v1/read-response.ts';

const MAX_BODY_BYTES = 4 * 1024 * 1024;

export type ReadHandlerOptions = {
  /**
   * Who answers: a server's storage, or a store's engine by database. An InputError it throws is answered with 400. A
   * store gives a Queryable that applies the replica rule (`splitReplica` of @pollux/storage).
   */
  readonly queryable: (exchange: Exchange) => Queryable | Promise<Queryable>;
  /** A server's own: matchers that name them are dropped, and they are added to the answer. None for a store. */
  readonly externalLabels: () => Labels;
  readonly registry: Registry;
  readonly log: Log;
  /** `--storage.remote.read-sample-limit`: most samples of one answer; 0 = no limit. */
  readonly maxSamples: number;
  /** `--storage.remote.read-concurrent-limit`: requests worked on at a time; more are refused. 0 = no limit. */
  readonly maxConcurrent: number;
  /** Bytes that one request may hold. */
  readonly maxMemoryBytes: number;
};

/** The remote read endpoint: `POST /api/v1/read`, answers in samples. */
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
    try {
      return await answer(exchange, options);
    } catch (error) {
      return errorAnswer(error, options.log);
    } finally {
      running.dec();
    }
  };
}

async function answer(exchange: Exchange, options: ReadHandlerOptions): Promise<HttpResponse> {
  const body = await exchange.request.body(MAX_BODY_BYTES);
  const request = decodeReadRequest(await snappyDecode(body));
  const queryable = await options.queryable(exchange);
  const context: ReadContext = {
    signal: exchange.signal,
    budget: new MemoryBudget(options.maxMemoryBytes),
  };
  const limit = { samplesLeft: options.maxSamples > 0 ? options.maxSamples : Infinity };
  const results: Uint8Array[] = [];
  for (const query of request.queries) {
    results.push(await resultOf(query, queryable, context, { ...options, limit }));
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: snappyEncode(encodeReadResponse(results)),
  };
}

async function resultOf(
  query: ReadQuery,
  queryable: Queryable,
  context: ReadContext,
  options: ReadHandlerOptions & { readonly limit: { samplesLeft: number } },
): Promise<Uint8Array> {
  const external = options.externalLabels();
  const encoder = new QueryResultEncoder();
  const source = queryable.select(selectOf(query, external), context);
  let held = 0;
  try {
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      for (const columns of batch) {
        options.limit.samplesLeft -= columns.count;
        if (options.limit.samplesLeft < 0) {
          throw new LimitError(
            'REMOTE.READ_SAMPLE_LIMIT',
            'storage.remote.read-sample-limit',
            `exceeded sample limit (${options.maxSamples}); narrow the query or raise --storage.remote.read-sample-limit`,
          );
        }
        encoder.add(
          external.isEmpty
            ? columns
            : { ...columns, labels: mergedLabels(columns.labels, external) },
        );
      }
      context.budget.take(encoder.size - held);
      held = encoder.size;
    }
  } finally {
    source.close();
  }
  return encoder.bytes();
}

function selectOf(query: ReadQuery, external: Labels): SelectRequest {
  const range = { minMs: query.startMs, maxMs: query.endMs };
  const hints = query.hints ?? { ...NO_HINTS, startMs: query.startMs, endMs: query.endMs };
  return { range, hints, sorted: true, matchers: localMatchers(query.matchers, external) };
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

/** A label that the series has itself wins. */
function mergedLabels(labels: Labels, external: Labels): Labels {
  const builder = new LabelsBuilder(labels);
  for (const [name, value] of external) if (!labels.has(name)) builder.set(name, value);
  return builder.build();
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
