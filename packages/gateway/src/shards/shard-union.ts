import { OperatingError } from '@pollux/base';
import {
  MergedSource,
  type NamesAnswer,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesSource,
  withoutNeed,
} from '@pollux/storage';
import { OneSeries } from './one-series.ts';

/** The series of all shards. When one fails the read fails: who reads decides whether to go on without it. */
export class ShardUnion implements Queryable {
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

  labelNames(): Promise<NamesAnswer> {
    return noNames();
  }

  labelValues(): Promise<NamesAnswer> {
    return noNames();
  }
}

/** Neither queries nor remote read nor federation ask for names. */
async function noNames(): Promise<NamesAnswer> {
  throw new OperatingError('GATEWAY.NO_NAMES', 'series of shards have no lists of labels');
}
