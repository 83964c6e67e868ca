import { SeededRandom } from '@pollux/base';
import type { Dialect } from './peer.ts';

/** Choices of one seed, for a query in a dialect. */
export class Dice {
  readonly dialect: Dialect;
  readonly #random: SeededRandom;

  constructor(seed: number, dialect: Dialect) {
    this.dialect = dialect;
    this.#random = new SeededRandom(seed);
  }

  /** True where 3.x judges. */
  get isYounger(): boolean {
    return this.dialect === '3.x';
  }

  below(bound: number): number {
    return this.#random.below(bound);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.#random.below(times) === 0;
  }

  one<T>(items: readonly T[]): T {
    const item = items[this.#random.below(items.length)];
    if (item === undefined) throw new Error('nothing to choose from');
    return item;
  }

  /** Each item with a chance of one half. */
  some<T>(items: readonly T[]): T[] {
    return items.filter(() => this.once(2));
  }
}
