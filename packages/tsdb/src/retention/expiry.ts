import { Matcher, type MatchOperator } from '@pollux/model';
import type { Block } from '../block/block.ts';
import { classOfSeries } from './series-classes.ts';
import type { RetentionRule } from './settings.ts';

/** What rules leave out of a block that is rewritten. */
export type Expiry = {
  readonly rules: readonly RetentionRule[];
  /** For each rule, and then for series of none: chunks that end before it are expired. */
  readonly cutoffsMs: readonly number[];
};

/** An {@link Expiry} as it crosses to a worker. */
export type PackedExpiry = {
  readonly rules: readonly {
    readonly matchers: readonly {
      readonly name: string;
      readonly operator: MatchOperator;
      readonly value: string;
    }[];
    readonly keepMs: number;
  }[];
  readonly cutoffsMs: readonly number[];
};

/** For the block's series number i, in the order of labels, the time before which its chunks are expired. */
export function cutoffsIn(
  block: Block,
  { rules, cutoffsMs }: Expiry,
): (seriesIndex: number) => number {
  const classes = classOfSeries(block, rules);
  return (index) => cutoffsMs[classes[index]!]!;
}

export function packExpiry({ rules, cutoffsMs }: Expiry): PackedExpiry {
  return {
    rules: rules.map(({ matchers, keepMs }) => ({
      matchers: matchers.map(({ name, operator, value }) => ({ name, operator, value })),
      keepMs,
    })),
    cutoffsMs,
  };
}

export function unpackExpiry({ rules, cutoffsMs }: PackedExpiry): Expiry {
  return {
    rules: rules.map(({ matchers, keepMs }) => ({
      matchers: matchers.map(({ name, operator, value }) => new Matcher(name, operator, value)),
      keepMs,
    })),
    cutoffsMs,
  };
}
