/**
 * Speed of writing floats as text on one core. Run: `npx tsx --conditions=@pollux/source` with this file, after a build.
 */
import { floatText } from './float-text.ts';
import { CHOSEN_FLOAT_TEXT, type NativeFloatText } from './native-float-text.ts';

const RUNS = 30;
const COUNT = 10_000;
/** Each run has values of its own, since the language keeps texts of numbers that it has seen. */
const SETS: Readonly<Record<string, (i: number) => number>> = {
  'quotients, as rates are': (i) => (i * 7919 + 1) / 285,
  'two decimals': (i) => (i * 7919 + 1) / 100,
};
const target = new Uint8Array(64);

for (const [name, valueAt] of Object.entries(SETS)) {
  const reference = time(valueAt, null);
  const chosen = time(valueAt, CHOSEN_FLOAT_TEXT);
  process.stdout.write(
    `${name}: TypeScript ${reference.toFixed(0)} ns, as chosen ${chosen.toFixed(0)} ns a float\n`,
  );
}

/** The best of all runs, in ns a float. */
function time(valueAt: (i: number) => number, native: NativeFloatText | null): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const values = Float64Array.from({ length: COUNT }, (_, i) => valueAt(run * COUNT + i));
    const startedNs = process.hrtime.bigint();
    for (const value of values) floatText(value, target, 0, native);
    best = Math.min(best, Number(process.hrtime.bigint() - startedNs) / COUNT);
  }
  return best;
}
