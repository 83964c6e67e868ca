import { SeededRandom } from '@pollux/base';

/** Choices of one seed. */
export class Dice {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
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

  /** Between `least` and `most` items, in their order. */
  some<T>(items: readonly T[], least: number, most: number): T[] {
    const count = least + this.below(most - least + 1);
    const left = items.map((item, i) => ({ item, i }));
    const chosen = Array.from({ length: Math.min(count, left.length) }, () =>
      left.splice(this.below(left.length), 1),
    ).flat();
    return chosen.sort((a, b) => a.i - b.i).map(({ item }) => item);
  }
}
