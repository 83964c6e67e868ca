import { type Env, errorText, type HttpPool, OperatingError } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { type Labels, Matcher } from '@pollux/model';
import {
  type IntervalSet,
  intersect,
  MemoryBudget,
  NO_HINTS,
  type SelectHints,
  type TimeRange,
} from '@pollux/storage';
import { forwardedHeaders } from '../forwarded-headers.ts';
import { knownReplicas } from '../known-replicas.ts';
import { viewPast } from '../past-view.ts';
import { MemberReader } from '../splice/member-reader.ts';
import { settingsOfAny } from '../splice/member-settings.ts';
import type { Upstream } from '../upstream.ts';

/** Of one answer; a warning says when there are more. */
const MAX_SERIES = 100_000;
const ALL_SERIES = [new Matcher('__name__', '=~', '.+')];

export type StoredNamesOptions = {
  readonly env: Env;
  readonly poolOf: (upstream: Upstream) => HttpPool;
  readonly storePath: string;
  readonly stores: readonly Upstream[];
  readonly replicaLabels: readonly string[];
  readonly requestTimeoutMs: number;
  readonly maxMemoryBytes: number;
  /** Of the span of who names no start; 0: stores are not asked then. */
  readonly lookbackMs: number;
};

export type StoredSeries = {
  readonly series: readonly Labels[];
  readonly warnings: readonly string[];
  /** Times of the span that neither servers nor stores cover. */
  readonly uncovered: IntervalSet;
};

type Asked = {
  readonly exchange: Exchange;
  readonly servers: readonly Upstream[];
  readonly selectors: readonly (readonly Matcher[])[];
  readonly span: TimeRange;
  /** No start was named. A server answers of all that it has then; a store may have years. */
  readonly isOpen: boolean;
};

/** The series that stores have of times that no server covers. Stores that do not answer are left out, and named. */
export class StoredNames {
  readonly #options: StoredNamesOptions;

  constructor(options: StoredNamesOptions) {
    this.#options = options;
  }

  /** No series where the servers have all of the span. */
  async seriesOf(asked: Asked): Promise<StoredSeries> {
    const { range, uncovered } = this.#lackingOf(asked);
    if (range === null) return { series: [], warnings: [], uncovered };
    const found = new Map<string, Labels>();
    const warnings: string[] = [];
    await Promise.all(
      this.#options.stores.map(async (store) => {
        try {
          if (!store.isUp) throw new OperatingError('GATEWAY.STORE_DOWN', store.lastError);
          await this.#collect(store, asked, range, found);
        } catch (error) {
          if (!OperatingError.is(error) || asked.exchange.signal.aborted) throw error;
          warnings.push(`series of times that no server has may be missing: ${errorText(error)}`);
        }
      }),
    );
    if (found.size >= MAX_SERIES)
      warnings.push(`only ${MAX_SERIES} series were taken of what no server has; narrow the range`);
    return { series: [...found.values()], warnings, uncovered };
  }

  /** From the first to the last time that no server covers, null without one, and what the stores lack, too. */
  #lackingOf({ servers, selectors, span, isOpen }: Asked): {
    readonly range: TimeRange | null;
    readonly uncovered: IntervalSet;
  } {
    const { env, stores, lookbackMs } = this.#options;
    const nowMs = env.clock.now();
    const endMs = Math.min(nowMs, span.maxMs) + 1;
    const startMs = isOpen ? endMs - lookbackMs : Math.max(0, span.minMs);
    const { replicas, nobody } = viewPast(
      knownReplicas(servers, stores, { nowMs, lost: new Set() }),
      selectors,
    );
    const asked = startMs < endMs ? [{ startMs, endMs }] : [];
    let lacking: IntervalSet = asked;
    for (const { gaps, isStored } of replicas)
      if (isStored !== true) lacking = intersect(lacking, gaps);
    const [first] = lacking;
    const last = lacking.at(-1);
    const range =
      first === undefined || last === undefined
        ? null
        : { minMs: first.startMs, maxMs: last.endMs - 1 };
    return { range, uncovered: intersect(nobody, asked) };
  }

  async #collect(
    store: Upstream,
    { exchange, servers, selectors }: Asked,
    range: TimeRange,
    found: Map<string, Labels>,
  ): Promise<void> {
    const { env, poolOf, storePath, requestTimeoutMs, replicaLabels, maxMemoryBytes } =
      this.#options;
    const { signal } = exchange;
    const timeoutMs = requestTimeoutMs;
    // They say which of the store's series are the servers'.
    const settings = await settingsOfAny(servers, {
      net: env.net,
      headers: forwardedHeaders(exchange),
      timeoutMs,
      signal,
    });
    const reader = new MemberReader({
      pool: poolOf(store),
      upstream: store,
      headers: forwardedHeaders(exchange, 'application/x-protobuf'),
      timeoutMs,
      settings,
      replicaLabels,
      storePath,
      onFailure: () => {},
    });
    const hints: SelectHints = { ...NO_HINTS, func: 'series', limit: MAX_SERIES };
    const context = { signal, budget: new MemoryBudget(maxMemoryBytes, 'max_splice_memory') };
    for (const own of selectors) {
      const matchers = own.length === 0 ? ALL_SERIES : own;
      const lane = reader.open({ range, matchers, hints, sorted: true }, range, context);
      try {
        for (let batch = await lane.next(); batch !== null; batch = await lane.next())
          for (const { labels } of batch)
            if (found.size < MAX_SERIES) found.set(labels.key(), labels);
      } finally {
        lane.close();
      }
    }
  }
}
