import type { Clock, HttpPool } from '@pollux/base';
import { Matcher } from '@pollux/model';
import {
  intersect,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesColumns,
  type SeriesSource,
} from '@pollux/storage';
import { knownReplicas } from '../known-replicas.ts';
import { noNames } from '../no-names.ts';
import { viewPast } from '../past-view.ts';
import { MemberReader } from '../splice/member-reader.ts';
import type { MemberSettings } from '../splice/member-settings.ts';
import { Splice } from '../splice/segments.ts';
import { SplicedSeries } from '../splice/spliced-series.ts';
import type { Upstream } from '../upstream.ts';

export type MergedSeriesOptions = {
  readonly clock: Clock;
  readonly poolOf: (upstream: Upstream) => HttpPool;
  readonly timeoutMs: number;
  readonly guardMs: number;
  readonly storePath: string;
  readonly headers: Readonly<Record<string, string>>;
  /** At least one, each with its settings. */
  readonly servers: readonly Upstream[];
  readonly stores: readonly Upstream[];
  /** Of servers of other shards too. */
  readonly settings: ReadonlyMap<Upstream, MemberSettings>;
  readonly lost: ReadonlySet<Upstream>;
  /** Begins where no matcher names another. */
  readonly preferred: number;
  /** Labels by which the servers' series differ; the answer has none of them. */
  readonly apart: ReadonlySet<string>;
  readonly isSorting: boolean;
  /** What nobody covers was asked for. */
  readonly onUncovered: () => void;
  /** Told of what a read failed by, before it fails. */
  readonly onError: (error: unknown) => void;
};

/** All series as one server would hold them: of each what the servers cover, one after the other, and the stores behind them. */
export class MergedSeries implements Queryable {
  readonly labelNames = noNames;
  readonly labelValues = noNames;
  readonly #options: MergedSeriesOptions;

  constructor(options: MergedSeriesOptions) {
    this.#options = options;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    const { clock, servers, stores, lost, guardMs, apart, onUncovered, onError } = this.#options;
    // As for a store: a matcher on what tells replicas apart is a wish for that replica, and true of all series.
    const isWish = ({ name, operator, value }: Matcher): boolean =>
      operator === '=' && value !== '' && apart.has(name);
    const wishes = request.matchers.filter(isWish);
    if (this.#isForOtherShard(wishes)) return NO_SERIES;
    const preferred = this.#preferredBy(wishes);
    const matchers = request.matchers.map((matcher) =>
      isWish(matcher) ? new Matcher(matcher.name, '=', '') : matcher,
    );
    const nowMs = clock.now();
    const past = viewPast(knownReplicas(servers, stores, { nowMs, lost }), [matchers]);
    const { minMs, maxMs } = request.range;
    if (intersect(past.nobody, [{ startMs: minMs, endMs: maxMs + 1 }]).length > 0) onUncovered();
    const how = { span: request.range, guardMs, preferred, storedCopy: preferred };
    const series = new SplicedSeries(clock, new Splice(past, how), this.#readers(preferred));
    return new WatchedSource(series.select({ ...request, matchers }, context), onError);
  }

  #preferredBy(wishes: readonly Matcher[]): number {
    const { servers, preferred } = this.#options;
    if (wishes.length === 0) return preferred;
    const wished = servers.findIndex((server) => this.#meets(server, wishes));
    return wished < 0 ? preferred : wished;
  }

  /** A label that tells shards apart is no mere wish: the other shard has those series, and this one none. */
  #isForOtherShard(wishes: readonly Matcher[]): boolean {
    const { servers, settings } = this.#options;
    if (wishes.length === 0 || servers.some((server) => this.#meets(server, wishes))) return false;
    return [...settings.keys()].some((server) => this.#meets(server, wishes));
  }

  #meets(server: Upstream, wishes: readonly Matcher[]): boolean {
    const external = this.#options.settings.get(server)?.externalLabels;
    return wishes.every(({ name, value }) => external?.get(name) === value);
  }

  #readers(preferred: number): readonly (MemberReader | null)[] {
    const { servers, stores, settings, storePath, apart, isSorting, ...rest } = this.#options;
    return [...servers, ...stores].map((upstream, replica) => {
      const isStored = replica >= servers.length;
      const own = settings.get(isStored ? servers[preferred]! : upstream);
      if (own === undefined) return null;
      return new MemberReader({
        pool: rest.poolOf(upstream),
        upstream,
        headers: rest.headers,
        timeoutMs: rest.timeoutMs,
        settings: own,
        // What is an external label is taken off already; only of others may series lose their order.
        replicaLabels: [...apart].filter((name) => !own.externalLabels.has(name)),
        ...(isStored ? { storePath } : { isSorting }),
        onFailure: () => {},
      });
    });
  }
}

const NO_SERIES: SeriesSource = { warnings: [], next: async () => null, close: () => {} };

class WatchedSource implements SeriesSource {
  readonly #source: SeriesSource;
  readonly #onError: (error: unknown) => void;

  constructor(source: SeriesSource, onError: (error: unknown) => void) {
    this.#source = source;
    this.#onError = onError;
  }

  get warnings(): SeriesSource['warnings'] {
    return this.#source.warnings;
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    try {
      return await this.#source.next();
    } catch (error) {
      this.#onError(error);
      throw error;
    }
  }

  close(): void {
    this.#source.close();
  }
}
