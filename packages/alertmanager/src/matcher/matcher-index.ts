import type { LabelValues, Matcher } from '@pollux/model';

const NOTHING: readonly never[] = [];

type Key = { readonly name: string; readonly value: string };

/**
 * Finds, of many things that apply where all their matchers match, the few that can apply to given labels: each is kept
 * under one of its equality matchers. What has none is a candidate for everything.
 */
export class MatcherIndex<T> {
  readonly #byName = new Map<string, Map<string, Set<T>>>();
  readonly #others = new Set<T>();

  add(item: T, matchers: readonly Matcher[]): void {
    const key = keyOf(matchers);
    if (key === null) {
      this.#others.add(item);
      return;
    }
    const byValue = this.#byName.get(key.name) ?? new Map<string, Set<T>>();
    this.#byName.set(key.name, byValue);
    const items = byValue.get(key.value) ?? new Set<T>();
    byValue.set(key.value, items);
    items.add(item);
  }

  /** With the matchers it was added with. */
  remove(item: T, matchers: readonly Matcher[]): void {
    const key = keyOf(matchers);
    if (key === null) {
      this.#others.delete(item);
      return;
    }
    const byValue = this.#byName.get(key.name);
    const items = byValue?.get(key.value);
    items?.delete(item);
    if (items?.size === 0) byValue?.delete(key.value);
    if (byValue?.size === 0) this.#byName.delete(key.name);
  }

  /** In no particular order. */
  candidates(labels: LabelValues): readonly T[] {
    let found: T[] | null = this.#others.size === 0 ? null : [...this.#others];
    for (const [name, byValue] of this.#byName) {
      const items = byValue.get(labels.get(name));
      if (items === undefined) continue;
      found ??= [];
      for (const item of items) found.push(item);
    }
    return found ?? NOTHING;
  }
}

/** The longest value, as the likeliest to be rare: `instance` tells more than `severity`. */
function keyOf(matchers: readonly Matcher[]): Key | null {
  let key: Key | null = null;
  for (const { name, operator, value } of matchers) {
    if (operator !== '=' || value === '') continue;
    if (key === null || value.length > key.value.length) key = { name, value };
  }
  return key;
}
