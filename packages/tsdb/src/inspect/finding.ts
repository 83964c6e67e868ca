/** Something that is wrong in a data directory. */
export type Finding = {
  readonly file: string;
  /** Of the first byte concerned; null when it is no matter of one place. */
  readonly offset: number | null;
  readonly text: string;
};

/** Findings of one file that are kept; a file that is broken everywhere is told once more often than this. */
const MAX_PER_FILE = 100;

/** Collects findings, a bounded number of each file. */
export class Findings {
  readonly #list: Finding[] = [];
  readonly #perFile = new Map<string, number>();

  /** All that were kept, in the order in which they were made. */
  get list(): readonly Finding[] {
    return this.#list;
  }

  /** How many there were, kept or not. */
  get count(): number {
    let count = 0;
    for (const ofFile of this.#perFile.values()) count += ofFile;
    return count;
  }

  add(file: string, offset: number | null, text: string): void {
    const before = this.#perFile.get(file) ?? 0;
    this.#perFile.set(file, before + 1);
    if (before < MAX_PER_FILE) this.#list.push({ file, offset, text });
    else if (before === MAX_PER_FILE) {
      this.#list.push({ file, offset: null, text: 'has more faults, which are only counted' });
    }
  }
}
