/**
 * A 64-bit hash of keys (the label bytes of series) for hash tables inside one process: HalfSipHash-1-3 (Aumasson,
 * Bernstein). It is keyed, so a sender who does not know the seed cannot choose keys that collide, which a multiplicative
 * hash (Murmur, xxHash) does not give even when seeded; and it is made of 32-bit additions, rotations and exclusive ors,
 * which JavaScript has too. Not for disk or wire: seeds differ from process to process.
 *
 * Many keys of one buffer at once ({@link hashKeys}) are three times as fast as one by one: the copy and the call are
 * shared, and four keys are hashed in the lanes of one vector.
 */
import { hashKeyReference } from './hash-reference.ts';
import { CHOSEN_HASH, HASH_NATIVE_MOST, type NativeHash } from './native-hash.ts';

/** Two random words, drawn once by the owner of the table. */
export type HashSeed = Uint32Array;

/** Results as columns: word i of both is the hash of key i. */
export type KeyHashes = { readonly low: Uint32Array; readonly high: Uint32Array };

export function createKeyHashes(capacity: number): KeyHashes {
  return { low: new Uint32Array(capacity), high: new Uint32Array(capacity) };
}

/** A single key of fewer bytes is hashed sooner than copied to where WebAssembly sees it (key-hash.bench.ts). */
const NATIVE_LEAST_BYTES = 160;

/** Hashes `data[start, end)` into element `at` of `hashes`. */
export function hashKey(
  data: Uint8Array,
  start: number,
  end: number,
  seed: HashSeed,
  hashes: KeyHashes,
  at: number,
  native: NativeHash | null = CHOSEN_HASH,
): void {
  const size = end - start;
  if (native === null || size < NATIVE_LEAST_BYTES || size > native.room) {
    hashKeyReference(data, start, end, seed, hashes, at);
    return;
  }
  native.input.set(data.subarray(start, end));
  native.spans[0] = 0;
  native.spans[1] = size;
  native.hash(1, seed[0]!, seed[1]!);
  hashes.low[at] = native.low[0]!;
  hashes.high[at] = native.high[0]!;
}

/**
 * Hashes `count` keys, of which key i is `data[starts[i], ends[i])`, into elements 0 to count − 1 of `hashes`. Fastest when
 * the keys lie in `data` in ascending order with little between them, as the series of a remote-write request do: what is
 * between them is copied too.
 */
export function hashKeys(
  data: Uint8Array,
  starts: Uint32Array,
  ends: Uint32Array,
  count: number,
  seed: HashSeed,
  hashes: KeyHashes,
  native: NativeHash | null = CHOSEN_HASH,
): void {
  let index = 0;
  while (index < count) {
    const taken = native === null ? 0 : takeWindow(data, starts, ends, index, count, native);
    if (native === null || taken === 0) {
      hashKeyReference(data, starts[index]!, ends[index]!, seed, hashes, index);
      index++;
      continue;
    }
    native.hash(taken, seed[0]!, seed[1]!);
    hashes.low.set(native.low.subarray(0, taken), index);
    hashes.high.set(native.high.subarray(0, taken), index);
    index += taken;
  }
}

/** Copies as many keys from `index` on as fit, with what lies between them, and returns their number. */
function takeWindow(
  data: Uint8Array,
  starts: Uint32Array,
  ends: Uint32Array,
  index: number,
  count: number,
  native: NativeHash,
): number {
  const { spans, room } = native;
  const base = starts[index]!;
  const limit = Math.min(count - index, HASH_NATIVE_MOST);
  let taken = 0;
  let copied = 0;
  while (taken < limit) {
    const start = starts[index + taken]! - base;
    const end = ends[index + taken]! - base;
    if (start < 0 || end > room) break;
    spans[taken * 2] = start;
    spans[taken * 2 + 1] = end;
    if (end > copied) copied = end;
    taken++;
  }
  if (taken > 0) native.input.set(data.subarray(base, base + copied));
  return taken;
}
