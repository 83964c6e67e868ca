import { compareText } from '@pollux/model';
import {
  EMPTY_OBJECT,
  NOT_PLAIN,
  type PlainObject,
  plainObject,
  textIn,
  textsIn,
} from './plain-object.ts';

/**
 * The annotations of one version of an alert, sorted by name. Unlike labels, an annotation may be empty. Kept as one text
 * where they are plain, else flat in one array, since there is one of these for each alert.
 */
export class Annotations {
  static readonly EMPTY = new Annotations(EMPTY_OBJECT, []);

  /** All of them, where they are plain; else {@link NOT_PLAIN}. */
  readonly object: PlainObject;
  /** Where they are not. */
  readonly #flat: readonly string[];

  private constructor(object: PlainObject, flat: readonly string[]) {
    this.object = object;
    this.#flat = flat;
  }

  /** From pairs in any order; later duplicates win. */
  static from(pairs: Iterable<readonly [string, string]>): Annotations {
    const byName = new Map(pairs);
    return Annotations.fromSortedFlat([...byName].sort(([a], [b]) => compareText(a, b)).flat());
  }

  /** Takes `flat` (name, value, name, value …) as it is: sorted and unique. The caller gives it away. */
  static fromSortedFlat(flat: readonly string[]): Annotations {
    const object = plainObject(flat);
    return object === NOT_PLAIN ? new Annotations(NOT_PLAIN, flat) : Annotations.fromObject(object);
  }

  static fromObject(object: PlainObject): Annotations {
    return object === EMPTY_OBJECT ? Annotations.EMPTY : new Annotations(object, NO_TEXTS);
  }

  /** Names and values in turn. Made at each call where they are plain. */
  get flat(): readonly string[] {
    return this.object === NOT_PLAIN ? this.#flat : textsIn(this.object);
  }

  /** Undefined when there is none of this name. */
  get(name: string): string | undefined {
    if (this.object !== NOT_PLAIN) return textIn(this.object, name);
    const flat = this.#flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1];
    return undefined;
  }

  equals(other: Annotations): boolean {
    if (this === other) return true;
    // What is plain is kept so: the same texts are never kept in two ways.
    if (this.object !== other.object) return false;
    const a = this.#flat;
    const b = other.#flat;
    return a.length === b.length && a.every((text, i) => text === b[i]);
  }

  *[Symbol.iterator](): IterableIterator<readonly [string, string]> {
    const { flat } = this;
    for (let i = 0; i < flat.length; i += 2) yield [flat[i]!, flat[i + 1]!];
  }
}

const NO_TEXTS: readonly string[] = [];
