/**
 * Speed of hashing keys on one core, in ns a key, everything counted: the copy to where WebAssembly sees the bytes, the
 * call, the results in columns. Run: `npx tsx --conditions=@pollux/source` with this file.
 */
import { CHOSEN_KERNELS } from '../native/chosen-kernels.ts';
import { createKeyHashes, hashKey, hashKeys } from './key-hash.ts';
import { createNativeHash } from './native-hash.ts';

const KEYS = 2_000;
const RUNS = 200;
const SEED = Uint32Array.of(0x9e3779b9, 0x7f4a7c15);

const data = Uint8Array.from({ length: KEYS * 400 }, (_, i) => (i * 7919) >>> 3);
const hashes = createKeyHashes(KEYS);
const native = CHOSEN_KERNELS === null ? null : createNativeHash(CHOSEN_KERNELS);

for (const size of [40, 80, 136, 200, 400]) {
  const starts = Uint32Array.from({ length: KEYS }, (_, i) => i * size);
  const ends = starts.map((start) => start + size);
  const single = (implementation: typeof native): number =>
    time(() => {
      for (let i = 0; i < KEYS; i++) {
        hashKey(data, starts[i]!, ends[i]!, SEED, hashes, i, implementation);
      }
    });
  const batch = time(() => hashKeys(data, starts, ends, KEYS, SEED, hashes));
  process.stdout.write(
    `${size} bytes: one by one in TypeScript ${single(null).toFixed(0)}, as chosen ${single(native).toFixed(0)}, many at once ${batch.toFixed(0)} ns a key\n`,
  );
}

/** The best of all runs, a key. */
function time(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    const startedNs = process.hrtime.bigint();
    run();
    best = Math.min(best, Number(process.hrtime.bigint() - startedNs) / KEYS);
  }
  return best;
}
