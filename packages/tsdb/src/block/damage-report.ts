import { errorText } from '@pollux/base';
import type { Annotation } from '@pollux/storage';
import type { OnDamage } from './block-cursor.ts';
import type { BlockSet } from './block-set.ts';

/** What one answer leaves out because blocks are damaged: a warning for each block, naming what was found first. */
export class DamageReport {
  readonly warnings: Annotation[] = [];
  readonly #blocks: BlockSet;
  readonly #named = new Set<string>();

  constructor(blocks: BlockSet) {
    this.#blocks = blocks;
  }

  readonly note: OnDamage = (block, error) => {
    this.#blocks.noteDamage(block, error);
    if (this.#named.has(block.ulid)) return;
    this.#named.add(block.ulid);
    this.warnings.push(damageWarning(block.ulid, errorText(error)));
  };
}

export function damageWarning(ulid: string, reason: string): Annotation {
  const text = `block ${ulid} is damaged and some of its samples are missing: ${reason}`;
  return { kind: 'warning', text };
}
