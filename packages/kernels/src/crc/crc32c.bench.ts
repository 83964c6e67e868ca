/**
 * Speed of CRC-32C on one core, copies included. Run: `npx tsx --conditions=@pollux/source` with this file.
 */
import { crc32c } from './crc32c.ts';
import { CHOSEN_CRC32C } from './native-crc32c.ts';

const RUNS = 40;
const data = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 7919) >>> 3);

for (const size of [128, 512, 1_024, 4_096, 32_768, 65_536, 1 << 20]) {
  const reference = time(size, () => crc32c(data, 0, size, 0, null));
  const chosen = time(size, () => crc32c(data, 0, size, 0, CHOSEN_CRC32C));
  process.stdout.write(
    `${size} bytes: TypeScript ${reference.toFixed(0)} ns (${(size / reference).toFixed(2)} GB/s), as chosen ${chosen.toFixed(0)} ns (${(size / chosen).toFixed(2)} GB/s)\n`,
  );
}

/** The best of all runs, in ns a call. */
function time(size: number, run: () => unknown): number {
  const calls = Math.max(2, Math.floor(200_000 / size));
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    const startedNs = process.hrtime.bigint();
    for (let call = 0; call < calls; call++) run();
    best = Math.min(best, Number(process.hrtime.bigint() - startedNs) / calls);
  }
  return best;
}
