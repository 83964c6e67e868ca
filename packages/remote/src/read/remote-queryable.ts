import {
  CanceledError,
  type Env,
  errorText,
  type HttpClientResponse,
  LimitError,
  OperatingError,
  StopSource,
} from '@pollux/base';
import { shownAddress } from '@pollux/config';
import { HttpConfigClient, type Variables } from '@pollux/http';
import { compareText, type Labels, Matcher } from '@pollux/model';
import {
  type Annotation,
  columnsWithin,
  type NamesAnswer,
  type Queryable,
  type ReadContext,
  type SelectHints,
  type SelectRequest,
  type SeriesColumns,
  type SeriesSource,
  type TimeRange,
} from '@pollux/storage';
import type { Gauge, Histogram, Registry } from '@pollux/telemetry';
import { MAX_DECODED_BYTES, snappyDecode, snappyEncode } from '../codec/snappy.ts';
import { encodeReadRequest } from '../codec/v1/read-request.ts';
import { decodeReadResponse } from '../codec/v1/read-response.ts';
import { RemoteReadError } from '../errors.ts';
import type { RemoteReadConfig } from './config.ts';
import { type Silence, unlessSilent } from './silence.ts';

/** Series handed on per batch. */
const BATCH_SERIES = 256;
/** An answer may be this much larger than a write request: a query reads more than a batch. */
const MAX_ANSWER_BYTES = 8 * MAX_DECODED_BYTES;
/** What a server says of a request that it cannot take; a longer text is an answer as well. */
const MAX_PROBE_ANSWER_BYTES = 64 * 1024;
/** Most series that are looked at to find label names or values. */
const MAX_SERIES_FOR_NAMES = 100_000;

export type RemoteQueryableOptions = {
  readonly env: Env;
  readonly config: RemoteReadConfig;
  readonly registry: Registry;
  /** This server's own; they tell the endpoint which samples are this server's. */
  readonly externalLabels: Labels;
  readonly userAgent: string;
  readonly resolvePath: (name: string) => string;
  /** The environment's, for proxies. */
  readonly variables: Variables;
};

/**
 * A remote read endpoint as a Queryable, with Prometheus' rules: it is asked only when the selector has the required
 * matchers, external labels become equality matchers unless the selector names them, and are taken off the answer again.
 */
export class RemoteQueryable implements Queryable {
  readonly #http: HttpConfigClient;
  readonly #options: RemoteQueryableOptions;
  readonly #inFlight: Gauge;
  readonly #duration: Histogram;
  readonly #silence: Silence = { isKnown: false };

  constructor(options: RemoteQueryableOptions) {
    this.#options = options;
    const { env, registry, config, resolvePath, variables } = options;
    this.#http = new HttpConfigClient({ ...env, config: config.client, resolvePath, variables });
    const at = [config.name, shownAddress(config.url)] as const;
    this.#inFlight = registry
      .gauges(
        'prometheus_remote_storage_remote_read_queries',
        'The number of in-flight remote read queries.',
        ['remote_name', 'url'],
      )
      .with(...at);
    this.#duration = registry
      .histograms(
        'prometheus_remote_storage_read_request_duration_seconds',
        'Histogram of the latency for remote read requests.',
        ['remote_name', 'url', 'response_type'],
        [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60],
      )
      .with(...at, 'sampled');
  }

  get config(): RemoteReadConfig {
    return this.#options.config;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    return new RemoteSource(() => this.#read(request, context), context);
  }

  async labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    const names = new Set<string>();
    const warnings = await this.#eachSeries(range, matchers, context, (labels) => {
      for (const [name] of labels) names.add(name);
    });
    return answer(names, limit, warnings);
  }

  async labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    const values = new Set<string>();
    const all = matchers.length > 0 ? matchers : [new Matcher(name, '!=', '')];
    const warnings = await this.#eachSeries(range, all, context, (labels) => {
      const value = labels.get(name);
      if (value !== '') values.add(value);
    });
    return answer(values, limit, warnings);
  }

  /** Remote read has no call for labels: the series are asked for with the hint that only they are wanted. */
  async #eachSeries(
    range: TimeRange,
    matchers: readonly Matcher[],
    context: ReadContext,
    visit: (labels: Labels) => void,
  ): Promise<Annotation[]> {
    const hints: SelectHints = {
      startMs: range.minMs,
      endMs: range.maxMs,
      stepMs: 0,
      rangeMs: 0,
      func: 'series',
      grouping: [],
      by: false,
      limit: MAX_SERIES_FOR_NAMES,
    };
    const asked = matchers.length > 0 ? matchers : [new Matcher('__name__', '=~', '.+')];
    const series = await this.#read({ range, matchers: asked, hints, sorted: false }, context);
    const bytes = sizeOf(series);
    context.budget.give(bytes);
    for (const { labels } of series.slice(0, MAX_SERIES_FOR_NAMES)) visit(labels);
    if (series.length <= MAX_SERIES_FOR_NAMES) return [];
    return [
      {
        kind: 'warning',
        text: `remote read ${this.config.name}: labels taken from the first ${MAX_SERIES_FOR_NAMES} of ${series.length} series`,
      },
    ];
  }

  /** All series of the answer, sorted by labels; their bytes are taken from the budget. */
  async #read(request: SelectRequest, context: ReadContext): Promise<SeriesColumns[]> {
    const { config, externalLabels } = this.#options;
    if (!hasRequired(request.matchers, config.requiredMatchers)) return [];
    const { matchers, added } = config.filterExternalLabels
      ? withExternalMatchers(request.matchers, externalLabels)
      : { matchers: request.matchers, added: new Set<string>() };
    const body = snappyEncode(
      encodeReadRequest({
        queries: [
          {
            startMs: request.range.minMs,
            endMs: request.range.maxMs,
            matchers,
            hints: hintsWithin(request),
          },
        ],
        accepted: ['samples'],
      }),
    );
    const response = await this.#exchange(body, context);
    const decoded = await snappyDecode(response.body, MAX_ANSWER_BYTES);
    context.budget.take(decoded.length);
    const [sent = []] = decodeReadResponse(decoded);
    const series = sent.map((columns) => columnsWithin(columns, request.range));
    context.budget.take(sizeOf(series));
    context.budget.give(decoded.length);
    const stripped = series.map((columns) =>
      added.size === 0 ? columns : { ...columns, labels: columns.labels.drop(added) },
    );
    // Taking labels off may change the order, and not every server sorts.
    return stripped.sort((a, b) => a.labels.compare(b.labels));
  }

  async #exchange(body: Uint8Array, context: ReadContext): Promise<HttpClientResponse> {
    const { env, config, userAgent } = this.#options;
    const startMs = env.clock.monotonic();
    this.#inFlight.inc();
    let code = '0';
    try {
      const response = await unlessSilent({
        clock: env.clock,
        signal: context.signal,
        memory: this.#silence,
        read: (signal) =>
          this.#http.request({
            method: 'POST',
            url: config.url,
            headers: {
              ...config.headers,
              'content-encoding': 'snappy',
              'accept-encoding': 'snappy',
              'content-type': 'application/x-protobuf',
              'user-agent': userAgent,
              'x-prometheus-remote-read-version': '0.1.0',
            },
            body,
            timeoutMs: config.remoteTimeoutMs,
            signal,
            maxBodyBytes: MAX_ANSWER_BYTES,
          }),
        probe: (timeoutMs) =>
          this.#http.request({
            method: 'GET',
            url: config.url,
            timeoutMs,
            // It outlives the read that sent it, and ends by its time-out.
            signal: new StopSource(),
            maxBodyBytes: MAX_PROBE_ANSWER_BYTES,
          }),
      });
      code = String(response.status);
      this.#check(response);
      return response;
    } catch (error) {
      if (context.signal.aborted) throw new CanceledError('query canceled', { cause: error });
      if (error instanceof RemoteReadError || error instanceof LimitError) throw error;
      if (!OperatingError.is(error) && !(error instanceof Error)) throw error;
      throw new RemoteReadError(0, `remote read ${config.name}: ${errorText(error)}`, {
        cause: error,
      });
    } finally {
      this.#inFlight.dec();
      this.#duration.observe((env.clock.monotonic() - startMs) / 1_000);
      this.#options.registry
        .counters(
          'prometheus_remote_storage_read_queries_total',
          'The total number of remote read queries.',
          ['remote_name', 'url', 'response_type', 'code'],
        )
        .with(config.name, shownAddress(config.url), 'sampled', code)
        .inc();
    }
  }

  #check(response: HttpClientResponse): void {
    const { config } = this.#options;
    if (response.status >= 200 && response.status < 300) {
      const type = response.headers['content-type'] ?? '';
      if (!type.startsWith('application/x-streamed-protobuf')) return;
      throw new RemoteReadError(
        response.status,
        `remote read ${config.name}: the server answered with streamed chunks, which were not asked for`,
      );
    }
    const reason = new TextDecoder().decode(response.body).trim().slice(0, 256);
    throw new RemoteReadError(
      response.status,
      `remote read ${config.name}: server ${shownAddress(config.url)} returned HTTP status ${response.status}: ${reason}`,
    );
  }
}

/** True when the selector has each required label as an equality matcher with that value. */
export function hasRequired(matchers: readonly Matcher[], required: readonly Matcher[]): boolean {
  return required.every(({ name, value }) =>
    matchers.some((m) => m.operator === '=' && m.name === name && m.value === value),
  );
}

/** External labels as equality matchers, except those that the selector itself speaks of. */
export function withExternalMatchers(
  matchers: readonly Matcher[],
  externalLabels: Labels,
): { readonly matchers: readonly Matcher[]; readonly added: ReadonlySet<string> } {
  const added = new Set<string>();
  const all = [...matchers];
  for (const [name, value] of externalLabels) {
    if (matchers.some((matcher) => matcher.name === name)) continue;
    all.push(new Matcher(name, '=', value));
    added.add(name);
  }
  return { matchers: all, added };
}

/** A server may read by the hints instead of the range, so they must not reach beyond it, nor be empty. */
function hintsWithin({ hints, range }: SelectRequest): SelectHints {
  const isUnset = hints.startMs === 0 && hints.endMs === 0;
  return {
    ...hints,
    startMs: isUnset ? range.minMs : Math.max(hints.startMs, range.minMs),
    endMs: isUnset ? range.maxMs : Math.min(hints.endMs, range.maxMs),
  };
}

class RemoteSource implements SeriesSource {
  readonly warnings: readonly Annotation[] = [];
  readonly #read: () => Promise<SeriesColumns[]>;
  readonly #context: ReadContext;
  #series: SeriesColumns[] | null = null;
  #at = 0;
  #heldBytes = 0;

  constructor(read: () => Promise<SeriesColumns[]>, context: ReadContext) {
    this.#read = read;
    this.#context = context;
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    if (this.#series === null) {
      this.#series = await this.#read();
      this.#heldBytes = sizeOf(this.#series);
    }
    if (this.#context.signal.aborted) throw new CanceledError('query canceled');
    if (this.#at >= this.#series.length) {
      this.close();
      return null;
    }
    const batch = this.#series.slice(this.#at, this.#at + BATCH_SERIES);
    this.#at += BATCH_SERIES;
    return batch;
  }

  close(): void {
    this.#series = [];
    this.#at = 0;
    this.#context.budget.give(this.#heldBytes);
    this.#heldBytes = 0;
  }
}

/** Bytes of the columns; labels are counted roughly. */
function sizeOf(series: readonly SeriesColumns[]): number {
  let bytes = 0;
  for (const { timestampsMs, labels } of series)
    bytes += timestampsMs.length * 16 + labels.size * 64;
  return bytes;
}

function answer(found: ReadonlySet<string>, limit: number, warnings: Annotation[]): NamesAnswer {
  const values = [...found].sort(compareText);
  return { values: limit > 0 ? values.slice(0, limit) : values, warnings };
}
