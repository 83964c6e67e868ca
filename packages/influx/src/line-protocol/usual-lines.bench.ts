/**
 * Processor time for a point of line protocol: 1,000 series of four tags in the same order in each body, one float field, nanoseconds;
 * read as bytes with what is known of earlier bodies, and as a text by the parser of all lines. Run with
 * `node --conditions=@pollux/source --import tsx` and this file.
 */
import { KnownSeries } from './known-series.ts';
import { parseLines } from './parse.ts';

const SERIES = 1_000;
const BODIES = 50;
const ROUNDS = 25;

const heads = Array.from(
  { length: SERIES },
  (_, i) =>
    `node_cpu_seconds_total,cpu=${i % 8},instance=host-${Math.floor(i / 64)}.example.org:9100,job=node,mode=mode-${Math.floor(i / 8) % 8}`,
);
const bodies = Array.from({ length: BODIES }, (_, p) =>
  Buffer.from(
    heads
      .map((head, i) => `${head} value=${i * 7 + p * 0.25} ${1_795_483_100 + p}000001000\n`)
      .join(''),
  ),
);
const known = new KnownSeries();
measure('as bytes', (body) => parseLines(body, 'ns', 0, { known }));
measure('as a text', (body) => parseLines(body.toString(), 'ns', 0));

function measure(name: string, parse: (body: Buffer) => unknown): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (const body of bodies) parse(body);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / (BODIES * SERIES));
  }
  process.stdout.write(`${name}: ${best.toFixed(2)} µs a point\n`);
}
