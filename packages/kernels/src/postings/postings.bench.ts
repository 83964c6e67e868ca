/**
 * Speed of set algebra over postings on one core, copies included, in ns an element of both lists. Run:
 * `npx tsx --conditions=@pollux/source` with this file. Which element comes next is random, as it is in an index.
 */
import { SeededRandom } from '@pollux/base';
import { CHOSEN_POSTINGS } from './native-postings.ts';
import { intersectPostings, subtractPostings, unitePostings } from './postings.ts';

const RUNS = 60;
const random = new SeededRandom(7);
const target = new Uint32Array(200_000);

const whole = randomList(100_000);
for (const size of [100_000, 10_000, 3_000, 1_000]) {
  const list = randomList(size);
  const total = whole.length + size;
  const figures = {
    'intersection in TypeScript': time(total, () => intersectPostings(list, whole, target, null)),
    'as chosen': time(total, () => intersectPostings(list, whole, target, CHOSEN_POSTINGS)),
    union: time(total, () => unitePostings(list, whole, target)),
    without: time(total, () => subtractPostings(whole, list, target)),
  };
  const text = Object.entries(figures).map(([name, ns]) => `${name} ${ns.toFixed(2)}`);
  process.stdout.write(`${size} and 100000: ${text.join(', ')} ns an element\n`);
}

/** So many of the numbers up to 200,000. */
function randomList(size: number): Uint32Array {
  const chosen = new Set<number>();
  while (chosen.size < size) chosen.add(Math.floor(random.next() * 200_000));
  return Uint32Array.from(chosen).sort();
}

/** The best of all runs, an element. */
function time(elements: number, run: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    const startedNs = process.hrtime.bigint();
    run();
    best = Math.min(best, Number(process.hrtime.bigint() - startedNs) / elements);
  }
  return best;
}
