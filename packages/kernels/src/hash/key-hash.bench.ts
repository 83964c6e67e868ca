/** Speed of hashing keys on one core, in ns a key. Run: `npx tsx --conditions=@pollux/source` with this file. */
import { hashKey } from './key-hash.ts';

const KEYS = 400;
const RUNS = 1_000;
const SEED = Uint32Array.of(0x9e3779b9, 0x7f4a7c15);

const data = Uint8Array.from({ length: KEYS * 400 }, (_, i) => (i * 7919) >>> 3);
const hash = new Uint32Array(2);

for (const size of [40, 80, 136, 200, 400]) {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const startedNs = process.hrtime.bigint();
    for (let i = 0; i < KEYS; i++) hashKey(data, i * size, (i + 1) * size, SEED, hash);
    best = Math.min(best, Number(process.hrtime.bigint() - startedNs) / KEYS);
  }
  process.stdout.write(`${size} bytes: ${best.toFixed(0)} ns a key\n`);
}
