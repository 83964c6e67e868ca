import { type HashSeed, hashKey } from '@pollux/kernels';
import type { SeriesRef } from '@pollux/storage';

/** Bytes of label fields kept before the cache starts anew. */
const MAX_CACHE_BYTES = 256 * 1024 * 1024;

/**
 * Remembers which label bytes mean which series, so that a known series costs a hash and a comparison instead of strings.
 * Open addressing over typed arrays with the bytes in one arena. The same labels written in two ways (other order) are two
 * entries of one ref, which is harmless. When full it is emptied: every series is then resolved once more. It stands in where
 * there is no kernel of write requests, which remembers hashes instead of the bytes.
 */
export class SeriesCache {
  readonly #maxBytes: number;
  readonly #seed: HashSeed;
  readonly #hash = new Uint32Array(2);
  #hashes = new Uint32Array(1_024);
  #refs = new Uint32Array(1_024);
  #starts = new Uint32Array(1_024);
  #lengths = new Uint32Array(1_024);
  #count = 0;
  #arena = new Uint8Array(64 * 1024);
  #arenaSize = 0;

  /** A random `seed` keeps senders from choosing labels that collide. */
  constructor(seed: HashSeed, maxBytes = MAX_CACHE_BYTES) {
    this.#seed = seed;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#count;
  }

  /** The ref of the series with these bytes, or 0. */
  find(data: Uint8Array, start: number, end: number): SeriesRef {
    const slot = this.#slot(data, start, end, this.#hashOf(data, start, end));
    return this.#refs[slot]!;
  }

  /** Remembers or replaces; `ref` 0 forgets what the bytes meant. */
  set(data: Uint8Array, start: number, end: number, ref: SeriesRef): void {
    const length = end - start;
    if (this.#arenaSize + length > this.#maxBytes) this.clear();
    if ((this.#count + 1) * 2 > this.#refs.length) this.#grow();
    const hash = this.#hashOf(data, start, end);
    const slot = this.#slot(data, start, end, hash);
    if (this.#lengths[slot]! === 0) {
      this.#reserve(length);
      this.#arena.set(data.subarray(start, end), this.#arenaSize);
      this.#hashes[slot] = hash;
      this.#starts[slot] = this.#arenaSize;
      // Stored one more than it is, so that 0 marks a free slot also for a series without labels.
      this.#lengths[slot] = length + 1;
      this.#arenaSize += length;
      this.#count++;
    }
    this.#refs[slot] = ref;
  }

  clear(): void {
    this.#lengths.fill(0);
    this.#refs.fill(0);
    this.#count = 0;
    this.#arenaSize = 0;
  }

  #hashOf(data: Uint8Array, start: number, end: number): number {
    hashKey(data, start, end, this.#seed, this.#hash);
    return this.#hash[0]!;
  }

  #slot(data: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.#refs.length - 1;
    const length = end - start + 1;
    let slot = hash & mask;
    for (;;) {
      const stored = this.#lengths[slot]!;
      if (stored === 0) return slot;
      if (stored === length && this.#hashes[slot] === hash) {
        if (equalBytes(this.#arena, this.#starts[slot]!, data, start, end)) return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  #reserve(length: number): void {
    const needed = this.#arenaSize + length;
    if (needed <= this.#arena.length) return;
    const arena = new Uint8Array(Math.max(needed, this.#arena.length * 2));
    arena.set(this.#arena.subarray(0, this.#arenaSize));
    this.#arena = arena;
  }

  #grow(): void {
    const old = {
      hashes: this.#hashes,
      refs: this.#refs,
      starts: this.#starts,
      lengths: this.#lengths,
    };
    const size = old.refs.length * 2;
    this.#hashes = new Uint32Array(size);
    this.#refs = new Uint32Array(size);
    this.#starts = new Uint32Array(size);
    this.#lengths = new Uint32Array(size);
    const mask = size - 1;
    for (let i = 0; i < old.refs.length; i++) {
      if (old.lengths[i] === 0) continue;
      let slot = old.hashes[i]! & mask;
      while (this.#lengths[slot] !== 0) slot = (slot + 1) & mask;
      this.#hashes[slot] = old.hashes[i]!;
      this.#refs[slot] = old.refs[i]!;
      this.#starts[slot] = old.starts[i]!;
      this.#lengths[slot] = old.lengths[i]!;
    }
  }
}

function equalBytes(
  arena: Uint8Array,
  at: number,
  data: Uint8Array,
  start: number,
  end: number,
): boolean {
  for (let i = start, j = at; i < end; i++, j++) if (data[i] !== arena[j]) return false;
  return true;
}
