import {
  type BlockCompaction,
  type BlockMeta,
  FROM_OUT_OF_ORDER,
  isFromOutOfOrder,
  originOf,
} from '../format/meta.ts';
import { PARTIAL_HINTS } from './plan.ts';

/**
 * What a block made of others says of its origin. Hints as Prometheus: out of order only when all parents are, a part of a
 * head when any is (the planner never mixes those with others).
 */
export function mergedCompaction(parents: readonly BlockMeta[]): BlockCompaction {
  const origin = parents.map(originOf).sort()[0]!;
  const sources = new Set(parents.flatMap(({ compaction }) => compaction.sources));
  const hints: string[] = PARTIAL_HINTS.filter((hint) =>
    parents.some(({ compaction }) => compaction.hints?.includes(hint)),
  );
  if (parents.every(isFromOutOfOrder)) hints.unshift(FROM_OUT_OF_ORDER);
  return {
    level: Math.max(...parents.map(({ compaction }) => compaction.level)) + 1,
    sources: [...sources].sort(),
    parents: parents.map(({ ulid, minTime, maxTime }) => ({ ulid, minTime, maxTime })),
    ...(hints.length > 0 ? { hints } : {}),
    ...([...sources].every((source) => source > origin) ? { origin } : {}),
  };
}
