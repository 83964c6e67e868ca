import type { Random } from '@pollux/base';

/** What the page cache writes back as one. */
export const PAGE_BYTES = 4096;
/** What a drive writes as one: a page that is torn is torn between two of these. */
const SECTOR_BYTES = 512;

/** What a power cut leaves of what was not synced: nothing, all of it, or some of it by a seed. */
export type Survival = 'none' | 'all' | { readonly some: Random };

/** A directory; `entries` is what programs see, `durable` what the platters hold. */
export class DirectoryNode {
  readonly kind = 'directory';
  entries = new Map<string, Node>();
  durable = new Map<string, Node>();
}

export type Node = FileNode | DirectoryNode;

/**
 * The content of a file, as programs see it and, page by page, as it is on the platters. A page is dirty from its write to
 * its sync. When a sync fails, its pages count as clean although they never reached the platters, as on Linux: a later sync
 * does not write them.
 */
export class FileNode {
  readonly kind = 'file';
  modifiedMs: number;
  #data = new Uint8Array(0);
  #size = 0;
  readonly #durablePages = new Map<number, Uint8Array>();
  #durableSize = 0;
  readonly #dirty = new Set<number>();
  /** Neither dirty nor on the platters. */
  readonly #forgotten = new Set<number>();
  #isSizeDirty = false;
  /** Syncs that have begun and not ended: what they bring is neither dirty nor on the platters yet. */
  readonly #underWay = new Set<{
    readonly pages: ReadonlyMap<number, Uint8Array>;
    readonly isSizeDirty: boolean;
  }>();

  constructor(modifiedMs: number) {
    this.modifiedMs = modifiedMs;
  }

  get size(): number {
    return this.#size;
  }

  /** The bytes, to be read only and not after the next change. */
  bytes(): Uint8Array {
    return this.#data.subarray(0, this.#size);
  }

  write(source: Uint8Array, position: number): void {
    if (source.length === 0) return;
    const end = position + source.length;
    if (end > this.#data.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#data.length));
      grown.set(this.bytes());
      this.#data = grown;
    }
    if (end > this.#size) this.#resize(end);
    this.#data.set(source, position);
    for (let page = pageOf(position); page <= pageOf(end - 1); page++) this.#touch(page);
  }

  truncate(size: number): void {
    if (size > this.#data.length) {
      const grown = new Uint8Array(size);
      grown.set(this.bytes());
      this.#data = grown;
    }
    if (size === this.#size) return;
    this.#resize(size);
  }

  /** What a sync that begins now will bring to the platters; `finish` does, `fail` loses it. */
  beginSync(): { finish(): void; fail(): void } {
    const pages = new Map<number, Uint8Array>();
    for (const page of this.#dirty) pages.set(page, this.#page(page).slice());
    const size = this.#size;
    const isSizeDirty = this.#isSizeDirty;
    this.#dirty.clear();
    this.#isSizeDirty = false;
    const sync = { pages, isSizeDirty };
    this.#underWay.add(sync);
    return {
      finish: () => {
        this.#underWay.delete(sync);
        for (const page of [...this.#durablePages.keys()]) {
          if (page * PAGE_BYTES >= size) this.#durablePages.delete(page);
        }
        for (const [page, bytes] of pages) this.#durablePages.set(page, bytes);
        this.#durableSize = size;
      },
      fail: () => {
        this.#underWay.delete(sync);
        for (const page of pages.keys()) this.#forgotten.add(page);
        this.#isSizeDirty ||= isSizeDirty;
      },
    };
  }

  /** The power was cut: from here on the file is what the platters hold. */
  cutPower(survival: Survival): void {
    for (const { pages, isSizeDirty } of this.#underWay) {
      for (const page of pages.keys()) this.#dirty.add(page);
      this.#isSizeDirty ||= isSizeDirty;
    }
    this.#underWay.clear();
    const unsynced = [...this.#dirty, ...this.#forgotten];
    const size = this.#survivingSize(survival);
    const bytes = new Uint8Array(size);
    const pages = new Set([...this.#durablePages.keys(), ...unsynced]);
    for (const page of pages) {
      const start = page * PAGE_BYTES;
      if (start >= size) continue;
      const content = this.#survivingPage(page, survival);
      bytes.set(content.subarray(0, Math.min(content.length, size - start)), start);
    }
    this.#data = bytes;
    this.#size = size;
    this.#durablePages.clear();
    for (let start = 0; start < size; start += PAGE_BYTES) {
      this.#durablePages.set(pageOf(start), bytes.slice(start, start + PAGE_BYTES));
    }
    this.#durableSize = size;
    this.#dirty.clear();
    this.#forgotten.clear();
    this.#isSizeDirty = false;
  }

  #resize(size: number): void {
    // What lies behind the end reads as zero when the file grows again.
    this.#data.fill(0, Math.min(size, this.#size), Math.max(size, this.#size));
    this.#size = size;
    this.#isSizeDirty = true;
    if (size % PAGE_BYTES !== 0) this.#touch(pageOf(size));
    for (const page of [...this.#dirty]) if (page * PAGE_BYTES >= size) this.#dirty.delete(page);
  }

  #touch(page: number): void {
    this.#dirty.add(page);
    this.#forgotten.delete(page);
  }

  #page(page: number): Uint8Array {
    return this.#data.subarray(page * PAGE_BYTES, Math.min(this.#size, (page + 1) * PAGE_BYTES));
  }

  #survivingSize(survival: Survival): number {
    if (!this.#isSizeDirty || survival === 'none') return this.#durableSize;
    if (survival === 'all') return this.#size;
    switch (survival.some.below(3)) {
      case 0:
        return this.#durableSize;
      case 1:
        return this.#size;
      default: {
        // A file grows page by page as its pages are written.
        const [low, high] = [this.#durableSize, this.#size].sort((a, b) => a - b);
        const at = low! + survival.some.below(high! - low! + 1);
        return Math.min(high!, Math.max(low!, at - (at % PAGE_BYTES)));
      }
    }
  }

  #survivingPage(page: number, survival: Survival): Uint8Array {
    const old = this.#durablePages.get(page) ?? new Uint8Array(0);
    const isUnsynced = this.#dirty.has(page) || this.#forgotten.has(page);
    if (!isUnsynced || survival === 'none') return old;
    const current = this.#page(page);
    if (survival === 'all') return current;
    switch (survival.some.below(4)) {
      case 0:
        return old;
      case 1: {
        const torn = new Uint8Array(PAGE_BYTES);
        torn.set(old);
        const cut = survival.some.below(PAGE_BYTES / SECTOR_BYTES + 1) * SECTOR_BYTES;
        torn.fill(0, 0, Math.min(cut, Math.max(old.length, current.length)));
        torn.set(current.subarray(0, Math.min(cut, current.length)));
        return torn;
      }
      default:
        return current;
    }
  }
}

function pageOf(position: number): number {
  return Math.floor(position / PAGE_BYTES);
}
