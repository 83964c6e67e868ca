import { type Engine, type RangeCache, type RangeMatrix, writeResultJson } from '@pollux/promql';
import type { Queryable } from '@pollux/storage';
import type { QueryPort, QueryPortAnswer, QueryPortRequest } from './ports.ts';

export type CachedQueryPortOptions = {
  /** Answers what the cache does not take. */
  readonly inner: QueryPort;
  readonly engine: Engine;
  readonly queryable: Queryable;
  readonly cache: RangeCache;
  /** False while answers depend on more than what the cache is told of. */
  readonly isOn: () => boolean;
  /** The engine's. */
  readonly lookbackMs: number;
};

/** Range queries over what a cache keeps; written in this thread, which the cache's limit on points allows. */
export class CachedQueryPort implements QueryPort {
  readonly #options: CachedQueryPortOptions;

  constructor(options: CachedQueryPortOptions) {
    this.#options = options;
  }

  async run(request: QueryPortRequest): Promise<QueryPortAnswer> {
    const { inner, engine, queryable, cache, isOn, lookbackMs } = this.#options;
    const { query, times, timeoutMs, signal, origin, limit } = request;
    if (times.kind !== 'range' || request.skipsCache || !isOn()) return inner.run(request);
    const asked = {
      query,
      expr: engine.parse(query),
      lookbackMs: request.lookbackMs ?? lookbackMs,
      startMs: times.startMs,
      endMs: times.endMs,
      stepMs: times.stepMs,
    };
    if (!cache.takes(asked)) return inner.run(request);
    const common = { query, queryable, signal, origin, lookbackMs: asked.lookbackMs };
    const timeout = timeoutMs === null ? {} : { timeoutMs };
    const { result, annotations, stats } = await cache.range(asked, (part) =>
      engine.range({ ...common, ...timeout, ...part }),
    );
    const isTruncated = limit > 0 && result.series.length > limit;
    const shown: RangeMatrix = isTruncated
      ? { kind: 'matrix', series: result.series.slice(0, limit) }
      : result;
    const pieces: Uint8Array[] = [];
    writeResultJson(shown, { write: (piece) => pieces.push(piece) });
    return { body: { kind: 'whole', pieces }, annotations, isTruncated, figures: stats };
  }
}
