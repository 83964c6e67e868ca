import type { VectorSelector } from '@pollux/promql/parser';
import { DOTTED_LABEL, DOTTED_NAME } from './data-younger.ts';
import type { Dice } from './dice.ts';
import { type Condition, selector } from './nodes.ts';

const HISTOGRAMS = [
  'size_bytes',
  'wait_seconds',
  'queue_length',
  'custom_seconds',
  'latency_seconds',
  'mixed_values',
] as const;
const OTHERS = ['aligned_total', 'aligned_bytes', 'target_info', 'mixed_values', DOTTED_NAME];
const COUNTERS = [
  'aligned_total',
  'wait_seconds',
  'custom_seconds',
  'size_bytes',
  'mixed_values',
  DOTTED_NAME,
];

/** A selector of what only 3.x answers as it means to. */
export function youngerSelector(dice: Dice): VectorSelector {
  return named(dice, dice.one(dice.once(2) ? HISTOGRAMS : OTHERS));
}

export function youngerCounter(dice: Dice): VectorSelector {
  return named(dice, dice.one(COUNTERS));
}

/** A selector of native histograms, with exponential or custom buckets, some of them mixed with floats. */
export function histogramSelector(dice: Dice): VectorSelector {
  if (dice.once(8)) {
    return selector('', [
      ['__name__', '=~', dice.one(['(wait|custom)_seconds', 'wait_.*|queue_length'])],
      ['job', '=', dice.one(['api', 'db'])],
    ]);
  }
  return named(dice, dice.one(HISTOGRAMS));
}

function named(dice: Dice, name: string): VectorSelector {
  const all: readonly Condition[] = [
    ['job', '=', dice.one(['api', 'web', 'db'])],
    ['job', '!=', dice.one(['api', 'none'])],
    ['instance', '=~', dice.one(['[ab]:80', 'd.+|a.*'])],
    ...(name === DOTTED_NAME ? [[DOTTED_LABEL, '!~', 's [12]'] as const] : []),
  ];
  const conditions = dice.once(3) ? [dice.one(all)] : [];
  return name === DOTTED_NAME
    ? selector('', [['__name__', '=', name], ...conditions])
    : selector(name, conditions);
}
