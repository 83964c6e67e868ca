import { compareText } from '@pollux/model';

/**
 * The annotations of one version of an alert, sorted by name. Unlike labels, an annotation may be empty. Pairs lie flat in
 * one array: a Map takes more, and there is one of these for each alert (1,199 and 702 bytes an alert, with the labels
 * no longer joined as a key).
 */
export class Annotations {
  static readonly EMPTY = new Annotations([]);

  readonly #flat: readonly string[];

  private constructor(flat: readonly string[]) {
    this.#flat = flat;
  }

  /** From pairs in any order; later duplicates win. */
  static from(pairs: Iterable<readonly [string, string]>): Annotations {
    const byName = new Map(pairs);
    return Annotations.fromSortedFlat([...byName].sort(([a], [b]) => compareText(a, b)).flat());
  }

  /** Takes `flat` (name, value, name, value …) as it is: sorted and unique. The caller gives it away. */
  static fromSortedFlat(flat: readonly string[]): Annotations {
    return flat.length === 0 ? Annotations.EMPTY : new Annotations(flat);
  }

  get size(): number {
    return this.#flat.length / 2;
  }

  nameAt(index: number): string {
    return this.#flat[index * 2]!;
  }

  valueAt(index: number): string {
    return this.#flat[index * 2 + 1]!;
  }

  /** Undefined when there is none of this name. */
  get(name: string): string | undefined {
    const flat = this.#flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1];
    return undefined;
  }

  *[Symbol.iterator](): IterableIterator<readonly [string, string]> {
    const flat = this.#flat;
    for (let i = 0; i < flat.length; i += 2) yield [flat[i]!, flat[i + 1]!];
  }
}
