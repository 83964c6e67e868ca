import type { Metadata, MetricType } from '@pollux/model';

/** Scrapes without a word about a family before its metadata is dropped, as in Prometheus. */
const KEEP_SCRAPES = 10;
/** Families of one target; what comes on top is parsed but not remembered. */
const MAX_FAMILIES = 100_000;

type Family = { name: string; type: MetricType; help: string; unit: string; seenIn: number };

/** Type, help and unit per metric family of one target. Indices stay until the family is dropped. */
export class FamilyTable {
  readonly #indices = new Map<string, number>();
  readonly #families: (Family | null)[] = [];
  readonly #free: number[] = [];
  #scrape = 0;

  get size(): number {
    return this.#indices.size;
  }

  begin(): void {
    this.#scrape++;
  }

  /** Drops what has not been seen for long. */
  end(): void {
    if (this.#scrape % KEEP_SCRAPES !== 0) return;
    for (const [index, family] of this.#families.entries()) {
      if (family === null || this.#scrape - family.seenIn < KEEP_SCRAPES) continue;
      this.#indices.delete(family.name);
      this.#families[index] = null;
      // No line of the last scrape names this index, else the family would have been seen.
      this.#free.push(index);
    }
  }

  see(index: number): void {
    const family = this.#families[index];
    if (family !== null && family !== undefined) family.seenIn = this.#scrape;
  }

  /** As {@link setType} for a family that is known. */
  setTypeAt(index: number, type: MetricType): void {
    const family = this.#families[index];
    if (family !== null && family !== undefined) family.type = type;
  }

  /** Null for a family that nobody told of. */
  typeOf(name: string): MetricType | null {
    const index = this.#indices.get(name);
    return index === undefined ? null : this.#families[index]!.type;
  }

  setHelp(name: string, help: string): number {
    const index = this.#index(name);
    if (index >= 0) this.#families[index]!.help = help;
    return index;
  }

  setType(name: string, type: MetricType): number {
    const index = this.#index(name);
    if (index >= 0) this.#families[index]!.type = type;
    return index;
  }

  setUnit(name: string, unit: string): number {
    const index = this.#index(name);
    if (index >= 0) this.#families[index]!.unit = unit;
    return index;
  }

  *entries(): IterableIterator<readonly [string, Metadata]> {
    for (const family of this.#families) {
      if (family !== null)
        yield [family.name, { type: family.type, help: family.help, unit: family.unit }];
    }
  }

  #index(name: string): number {
    const known = this.#indices.get(name);
    if (known !== undefined) {
      this.see(known);
      return known;
    }
    if (this.#indices.size >= MAX_FAMILIES) return -1;
    const index = this.#free.pop() ?? this.#families.length;
    this.#families[index] = { name, type: 'unknown', help: '', unit: '', seenIn: this.#scrape };
    this.#indices.set(name, index);
    return index;
  }
}
