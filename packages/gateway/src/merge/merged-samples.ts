import {
  type Env,
  errorText,
  type HttpPool,
  type HttpResponse,
  OperatingError,
} from '@pollux/base';
import { type Exchange, json, text } from '@pollux/http';
import { Labels } from '@pollux/model';
import { readHandler } from '@pollux/remote';
import { MemoryBudget, type Queryable, type ReadContext } from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import { forwardedHeaders } from '../forwarded-headers.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { ShardUnion } from '../shards/shard-union.ts';
import { UnsortedError } from '../splice/member-lane.ts';
import { MemberReadError } from '../splice/member-read-error.ts';
import { fetchMemberSettings, type MemberSettings } from '../splice/member-settings.ts';
import { candidates, preferredOf, type Upstream } from '../upstream.ts';
import { MergedSeries } from './merged-series.ts';
import type { SingleReplicaHandler } from './single-replica-handler.ts';

const MAX_READ_REQUEST_BYTES = 4 * 1024 * 1024;
/** Remote reads worked on at a time; more are refused. As a server's own limit. */
const MAX_READS = 10;

/** Answers `/federate` from series, as a server does; of the room that has a server's API. */
export type Federate = (
  exchange: Exchange,
  nowMs: number,
  context: ReadContext,
  options: {
    readonly queryable: Queryable;
    readonly lookbackMs: number;
    readonly externalLabels: () => Labels;
  },
) => Promise<HttpResponse>;

export type MergedSamplesOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly metrics: GatewayMetrics;
  /** The servers; of several shards each one's. */
  readonly shards: readonly (readonly Upstream[])[];
  readonly stores: readonly Upstream[];
  readonly poolOf: (upstream: Upstream) => HttpPool;
  readonly storePath: string;
  readonly guardMs: number;
  readonly lookbackMs: number;
  readonly requestTimeoutMs: number;
  readonly maxMemoryBytes: number;
  readonly replicaLabels: readonly string[];
  /** Answers where members do not show what their series would be merged by; null where one cannot answer for all. */
  readonly single: SingleReplicaHandler | null;
  readonly federate: Federate | null;
};

type Answerer = (series: Queryable, common: Labels) => Promise<HttpResponse>;

/**
 * Remote read and federation as of one server: samples of all members, spliced as for queries. External labels that are the same
 * everywhere stay; those that tell the members apart are taken off. These formats cannot tell what is missing, so nothing is answered
 * while a whole shard is away.
 */
export class MergedSamples {
  readonly #options: MergedSamplesOptions;

  constructor(options: MergedSamplesOptions) {
    this.#options = options;
  }

  async remoteRead(exchange: Exchange): Promise<HttpResponse> {
    const { env, log, registry, maxMemoryBytes } = this.#options;
    const { method, target, headers, remote, principal } = exchange.request;
    const body = await exchange.request.body(MAX_READ_REQUEST_BYTES);
    // It is read once from the client, and again by each round.
    const again: Exchange = {
      ...exchange,
      request: {
        method,
        target,
        headers,
        remote,
        principal,
        signal: exchange.signal,
        stream: () => exchange.request.stream(),
        body: async () => body,
      },
    };
    const answer: Answerer = (series, common) =>
      readHandler({
        clock: env.clock,
        queryable: () => series,
        externalLabels: () => common,
        registry,
        log,
        maxSamples: 0,
        maxConcurrent: MAX_READS,
        maxMemoryBytes,
      })(again);
    const key = Buffer.from(body).toString('latin1');
    const { single } = this.#options;
    return this.#merge(again, key, answer, single && (() => single.remoteRead(again)));
  }

  async federate(exchange: Exchange): Promise<HttpResponse> {
    const { env, lookbackMs, maxMemoryBytes, federate, single } = this.#options;
    if (federate === null) return single?.federate(exchange) ?? notWhole();
    const answer: Answerer = (queryable, common) => {
      const budget = new MemoryBudget(maxMemoryBytes, 'max_splice_memory');
      const context = { signal: exchange.signal, budget };
      const how = { queryable, lookbackMs, externalLabels: () => common };
      return federate(exchange, env.clock.now(), context, how);
    };
    const key = exchange.request.target;
    return this.#merge(exchange, key, answer, single && (() => single.federate(exchange)));
  }

  async #merge(
    exchange: Exchange,
    key: string,
    answer: Answerer,
    whole: (() => Promise<HttpResponse>) | null,
  ): Promise<HttpResponse> {
    const { env, shards, stores, metrics, replicaLabels, ...rest } = this.#options;
    const upstreams = shards.flat();
    const lost = new Set<Upstream>();
    const why: string[] = [];
    let isSorting = false;
    // Each round but the last loses a member, or learns that series must be sorted.
    for (let round = 0; round <= upstreams.length + stores.length + 1; round++) {
      const live = shards.map((own) => candidates(own.filter((upstream) => !lost.has(upstream))));
      if (live.some((own) => own.length === 0)) break;
      const servers = live.flat();
      const settings = await this.#settingsOf(servers, exchange, (error) => {
        lost.add(error.upstream);
        why.push(errorText(error));
      });
      if (settings === null) return whole?.() ?? notWhole();
      if (settings.size < servers.length) continue;
      const { common, apart } = externalLabelsOf(settings, replicaLabels);
      const isAlone = upstreams.length === 1 && stores.length === 0 && apart.size === 0;
      if (isAlone && whole !== null) return whole();
      const failures: unknown[] = [];
      const reading = {
        clock: env.clock,
        poolOf: rest.poolOf,
        timeoutMs: rest.requestTimeoutMs,
        guardMs: rest.guardMs,
        storePath: rest.storePath,
        headers: forwardedHeaders(exchange, 'application/x-protobuf'),
        stores,
        settings,
        lost,
        apart,
        isSorting,
        onUncovered: () => metrics.uncovered.inc(),
        onError: (error: unknown) => void failures.push(error),
      };
      const ofShards = live.map(
        (own, index) =>
          new MergedSeries({
            ...reading,
            servers: own,
            preferred: preferredOf(key, shards[index]!, own),
          }),
      );
      const [only] = ofShards;
      const isOne = ofShards.length === 1 && only !== undefined;
      const series = isOne ? only : new ShardUnion(ofShards, rest.guardMs);
      const response = await this.#tried(() => answer(series, common));
      const [failure] = failures;
      const isWorthMore = failure instanceof UnsortedError || failure instanceof MemberReadError;
      if (!isWorthMore || exchange.signal.aborted) {
        const names = servers.map(({ name }) => name).join(', ');
        return { ...response, headers: { ...response.headers, 'x-pollux-replica': names } };
      }
      metrics.retries.inc();
      isSorting ||= failure instanceof UnsortedError;
      if (failure instanceof MemberReadError) {
        if (failure.isUnable && !stores.includes(failure.upstream)) return whole?.() ?? notWhole();
        metrics.failures.with(failure.upstream.name).inc();
        lost.add(failure.upstream);
        why.push(errorText(failure));
      }
    }
    const known = upstreams.map(({ name, lastError }) => `${name}: ${lastError}`);
    const error = `no server can answer (${(why.length > 0 ? why : known).join('; ')})`;
    return json(503, { status: 'error', errorType: 'unavailable', error });
  }

  /** What the request itself is refused for is an answer. */
  async #tried(answer: () => Promise<HttpResponse>): Promise<HttpResponse> {
    try {
      return await answer();
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      return text(error.code === 'API.BAD_DATA' ? 400 : 500, `${errorText(error)}\n`);
    }
  }

  /** Null when a member never shows them; those of members that do not answer are missing. */
  async #settingsOf(
    servers: readonly Upstream[],
    exchange: Exchange,
    onLost: (error: MemberReadError) => void,
  ): Promise<ReadonlyMap<Upstream, MemberSettings> | null> {
    const { env, requestTimeoutMs: timeoutMs } = this.#options;
    const settings = new Map<Upstream, MemberSettings>();
    let isUnable = false;
    await Promise.all(
      servers.map(async (server) => {
        const headers = forwardedHeaders(exchange);
        const how = { net: env.net, headers, timeoutMs, signal: exchange.signal };
        try {
          settings.set(server, await fetchMemberSettings(server, how));
        } catch (error) {
          if (!(error instanceof MemberReadError)) throw error;
          if (error.isUnable) isUnable = true;
          else onLost(error);
        }
      }),
    );
    return isUnable ? null : settings;
  }
}

function notWhole(): HttpResponse {
  const error = 'over shards this needs remote read and the configuration of each member';
  return json(501, { status: 'error', errorType: 'unavailable', error });
}

/** External labels that all members have alike, and the names of all others. */
function externalLabelsOf(
  settings: ReadonlyMap<Upstream, MemberSettings>,
  replicaLabels: readonly string[],
): { readonly common: Labels; readonly apart: ReadonlySet<string> } {
  const all = [...settings.values()].map(({ externalLabels }) => externalLabels);
  const apart = new Set(replicaLabels);
  const common = new Map<string, string>();
  for (const labels of all) {
    for (const [name, value] of labels) {
      if (all.some((other) => other.get(name) !== value)) apart.add(name);
      else common.set(name, value);
    }
  }
  for (const name of apart) common.delete(name);
  return { common: Labels.from([...common]), apart };
}
