import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inAnswerOrder } from '../block/answer-order.ts';
import { type BlockMeta, FROM_OUT_OF_ORDER, isFromOutOfOrder } from '../format/meta.ts';
import { keepsAnswers } from './keeps-answers.ts';
import { mergedCompaction } from './merged-meta.ts';
import { blockRanges, PARTIAL_HINTS, planCompaction } from './plan.ts';

const RUNS = Number(process.env.TSDB_RUNS ?? 500);
/** Times are small whole numbers; a block has a sample at each of its times, unless it leaves it out. */
const RANGES = blockRanges(4, 108);

type Row = {
  readonly start: number;
  readonly length: number;
  readonly kind: 'inOrder' | 'late' | 'partial';
  readonly hasFailed: boolean;
  /** Where it lies in the order of age. */
  readonly age: number;
  readonly gaps: number;
};

/** A block and which block each of its samples came from. */
type Model = { readonly meta: BlockMeta; readonly samples: ReadonlyMap<number, string> };

const row: fc.Arbitrary<Row> = fc.record({
  start: fc.nat(40),
  length: fc.oneof(fc.constant(4), fc.integer({ min: 1, max: 14 })),
  kind: fc.constantFrom('inOrder', 'inOrder', 'late', 'late', 'partial'),
  hasFailed: fc.integer({ min: 0, max: 7 }).map((number) => number === 0),
  age: fc.nat(99),
  gaps: fc.nat(2 ** 14 - 1),
});

function blockOf({ start, length, kind, hasFailed, age, gaps }: Row, number: number): Model {
  const minTime = length === 4 ? Math.floor(start / 4) * 4 : start;
  const ulid = `${String(age).padStart(2, '0')}-${String(number).padStart(2, '0')}`;
  const hints =
    kind === 'late' ? [FROM_OUT_OF_ORDER] : kind === 'partial' ? [PARTIAL_HINTS[0]] : null;
  const times = Array.from({ length }, (_, i) => minTime + i);
  const held = times.filter((_, i) => ((gaps >>> i) & 1) === 0);
  return {
    meta: {
      ulid,
      minTime,
      maxTime: minTime + length,
      stats: { numSamples: held.length, numSeries: 1, numChunks: 1 },
      compaction: {
        level: 1,
        sources: [ulid],
        ...(hasFailed ? { failed: true } : {}),
        ...(hints === null ? {} : { hints }),
      },
    },
    samples: new Map(held.map((at) => [at, ulid])),
  };
}

/** Of each time the first in the order of answers. */
function shown(blocks: readonly Model[]): Map<number, string> {
  const all = new Map<number, string>();
  for (const { samples } of inAnswerOrder(blocks)) {
    for (const [at, from] of samples) if (!all.has(at)) all.set(at, from);
  }
  return all;
}

function merge(parents: readonly Model[], number: number): Model {
  const metas = parents.map(({ meta }) => meta);
  return {
    meta: {
      ulid: `zz-${String(number).padStart(2, '0')}`,
      minTime: Math.min(...metas.map(({ minTime }) => minTime)),
      maxTime: Math.max(...metas.map(({ maxTime }) => maxTime)),
      stats: { numSamples: 1, numSeries: 1, numChunks: 1 },
      compaction: mergedCompaction(metas),
    },
    samples: shown(parents),
  };
}

/** Compacts as maintenance does, `settledMs` being where the head begins, until nothing is due; calls `each` after each step. */
function compact(
  blocks: readonly Model[],
  mayMerge: (all: readonly BlockMeta[], group: readonly BlockMeta[]) => boolean,
  each: (blocks: readonly Model[]) => void,
): readonly Model[] {
  let current = blocks;
  for (let made = 0; made < 100; made++) {
    const metas = current.map(({ meta }) => meta);
    const settledMs = Math.max(
      ...metas.map((meta) => (isFromOutOfOrder(meta) ? Number.NEGATIVE_INFINITY : meta.maxTime)),
    );
    const group = planCompaction(
      metas.filter(({ maxTime }) => maxTime <= settledMs),
      { rangesMs: RANGES, mayMerge: (candidate) => mayMerge(metas, candidate) },
    );
    if (group.length === 0) return current;
    const parents = current.filter(({ meta }) => group.includes(meta));
    current = [...current.filter((block) => !parents.includes(block)), merge(parents, made)];
    each(current);
  }
  throw new Error('compaction does not end');
}

describe('compactions in any order of what is due', () => {
  it('show of each time the value that was shown before', () => {
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 2, maxLength: 10 }),
        fc.array(row, { maxLength: 4 }),
        (rows, later) => {
          let blocks: readonly Model[] = rows.map(blockOf);
          let before = shown(blocks);
          const check = (now: readonly Model[]): void => expect(shown(now)).toEqual(before);
          blocks = compact(blocks, keepsAnswers, check);
          for (const [i, next] of later.entries()) {
            blocks = [...blocks, blockOf(next, 50 + i)];
            before = shown(blocks);
            blocks = compact(blocks, keepsAnswers, check);
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('would not, if any group were taken: one between two others is passed by them', () => {
    const [first, between, last] = [
      { start: 0, age: 0 },
      { start: 1, age: 1 },
      { start: 2, age: 2 },
    ].map(({ start, age }, i) => {
      const hasFailed = i === 1;
      return blockOf({ start, length: 3, kind: 'inOrder', hasFailed, age, gaps: 0 }, i);
    }) as [Model, Model, Model];
    const metas = [first, between, last].map(({ meta }) => meta);
    expect(keepsAnswers(metas, [first.meta, last.meta])).toBe(false);
    expect(keepsAnswers(metas, [first.meta, between.meta])).toBe(true);
    expect(keepsAnswers(metas, metas)).toBe(true);
    const apart = [between, merge([first, last], 0)];
    expect(shown(apart)).not.toEqual(shown([first, between, last]));
  });

  it('are done when nobody stands in between', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 2, maxLength: 8 }), (rows) => {
        // Without blocks that have failed, are parts of a head or reach into it, every overlap ends.
        const whole = rows.map((each): Row => {
          const isLate = each.kind === 'late';
          return { ...each, hasFailed: false, kind: isLate ? 'late' : 'inOrder' };
        });
        const end: Row = {
          start: 60,
          length: 4,
          kind: 'inOrder',
          hasFailed: false,
          age: 0,
          gaps: 0,
        };
        const blocks = compact([...whole, end].map(blockOf), keepsAnswers, () => {});
        const sorted = blocks.map(({ meta }) => meta).sort((a, b) => a.minTime - b.minTime);
        for (const [i, { minTime }] of sorted.entries()) {
          if (i > 0) expect(minTime).toBeGreaterThanOrEqual(sorted[i - 1]!.maxTime);
        }
      }),
      { numRuns: RUNS },
    );
  });
});
