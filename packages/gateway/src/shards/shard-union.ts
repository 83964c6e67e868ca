import {
  MergedSource,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesSource,
  withoutNeed,
} from '@pollux/storage';
import { noNames } from '../no-names.ts';
import { OneSeries } from './one-series.ts';

/** The series of all shards. When one fails the read fails: who reads decides whether to go on without it. */
export class ShardUnion implements Queryable {
  readonly labelNames = noNames;
  readonly labelValues = noNames;
  readonly #shards: readonly Queryable[];
  readonly #guardMs: number;

  constructor(shards: readonly Queryable[], guardMs: number) {
    this.#shards = shards;
    this.#guardMs = guardMs;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    const sorted = { ...withoutNeed(request), sorted: true };
    const inputs = this.#shards.map((shard) => ({
      source: shard.select(sorted, context),
      onError: () => null,
    }));
    return new MergedSource(inputs, new OneSeries(this.#guardMs));
  }
}
