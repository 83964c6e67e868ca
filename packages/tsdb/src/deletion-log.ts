import type { Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import type { Block } from './block/block.ts';

type Deletion = { readonly range: TimeRange; readonly matchers: readonly Matcher[] };

/**
 * Deletions that come while a block is being written: its writer may have passed the samples already, so they are repeated
 * on the block before it is shown.
 */
export class DeletionLog {
  readonly #followers = new Set<Deletion[]>();

  /** To be called for each deletion, at the same time as it is applied to the head and the blocks. */
  note(range: TimeRange, matchers: readonly Matcher[]): void {
    for (const follower of this.#followers) follower.push({ range, matchers });
  }

  /** Follows deletions until {@link DeletionFollower.end}. */
  follow(): DeletionFollower {
    const deletions: Deletion[] = [];
    this.#followers.add(deletions);
    return {
      repeatOn: (block) => {
        for (const { range, matchers } of deletions) block.deleteSamples(range, matchers);
      },
      touches: ({ minMs, maxMs }) =>
        deletions.some(({ range }) => range.minMs <= maxMs && range.maxMs >= minMs),
      end: () => void this.#followers.delete(deletions),
    };
  }
}

export type DeletionFollower = {
  /** Hides in the block what was deleted meanwhile. What follows in the same turn of the event loop misses nothing. */
  repeatOn(block: Block): void;
  /** True when something of the range was deleted meanwhile. */
  touches(range: TimeRange): boolean;
  end(): void;
};
