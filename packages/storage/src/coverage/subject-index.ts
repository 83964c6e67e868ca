import type { Labels } from '@pollux/model';
import type { CoverageSubject } from './coverage.ts';

/** Which of a list of targets and rule groups a series may be of, by the labels that all their series carry. */
export class SubjectIndex {
  /** Subjects that any series may belong to. */
  readonly everywhere: readonly number[];
  /** Rule groups by the names that they write. */
  readonly #groups = new Map<string, number[]>();
  /** Targets by the names of their labels, and by the values. */
  readonly #targets = new Map<
    string,
    { readonly names: readonly string[]; readonly byValues: Map<string, number[]> }
  >();

  constructor(subjects: readonly CoverageSubject[]) {
    const everywhere: number[] = [];
    for (const [index, subject] of subjects.entries()) {
      if (subject.kind === 'group') this.#addGroup(subject, index);
      else if (subject.labels.isEmpty) everywhere.push(index);
      else this.#addTarget(subject.labels, index);
    }
    this.everywhere = everywhere;
  }

  /** Places in the list, those of {@link everywhere} first. */
  placesOf(labels: Labels): number[] {
    const found = [...this.everywhere, ...(this.#groups.get(labels.metricName) ?? [])];
    for (const { names, byValues } of this.#targets.values()) {
      found.push(...(byValues.get(valuesKey(names, labels)) ?? []));
    }
    return found;
  }

  /** The subjects that are known by the same labels or name, without {@link everywhere}. */
  *alike(): Iterable<readonly number[]> {
    for (const { byValues } of this.#targets.values()) yield* byValues.values();
    yield* this.#groups.values();
  }

  /** True when a series may belong to subjects that are not {@link alike}. */
  get isMixed(): boolean {
    return this.#targets.size + (this.#groups.size > 0 ? 1 : 0) > 1;
  }

  #addGroup({ metricNames }: CoverageSubject, index: number): void {
    for (const name of metricNames) {
      const known = this.#groups.get(name);
      if (known === undefined) this.#groups.set(name, [index]);
      else known.push(index);
    }
  }

  #addTarget(labels: Labels, index: number): void {
    const names = [...labels].map(([name]) => name);
    const key = JSON.stringify(names);
    let kind = this.#targets.get(key);
    if (kind === undefined) {
      kind = { names, byValues: new Map() };
      this.#targets.set(key, kind);
    }
    const values = valuesKey(names, labels);
    const known = kind.byValues.get(values);
    if (known === undefined) kind.byValues.set(values, [index]);
    else known.push(index);
  }
}

/** Parts joined by what no text decoded from UTF-8 holds; of each series that is read, so nothing else is made for it. */
function valuesKey(names: readonly string[], labels: Labels): string {
  let key = '';
  for (const name of names) key += `${labels.get(name)}\ud800`;
  return key;
}
