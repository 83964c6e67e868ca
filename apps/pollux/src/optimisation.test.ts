import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { EARLY_OPTIMISATION, hasAllItCanDo, LATE_OPTIMISATION } from './optimisation.ts';

it('a process has all it can do when its loop is never idle and it has the processor', () => {
  expect(hasAllItCanDo({ utilization: 1, usedMs: 140, wholeMs: 100 })).toBe(true);
  expect(hasAllItCanDo({ utilization: 0.3, usedMs: 90, wholeMs: 100 })).toBe(false);
  // Others have the processor.
  expect(hasAllItCanDo({ utilization: 0.95, usedMs: 40, wholeMs: 100 })).toBe(false);
});

/** How often a function was called when the engine had optimised it. */
const PROGRAM = `
const isOptimised = new Function('f', 'return (%GetOptimizationStatus(f) & 16) !== 0');
const sum = new Function('n', 'let s = 0; for (let i = 0; i < n; i++) s += i % 7; return s');
let calls = 0;
while (!isOptimised(sum) && calls < 1_000_000) {
  sum(10);
  calls++;
}
console.log(calls);
`;

function callsUntilOptimised(flag: string): number {
  // At once, not in a thread beside the calls: then their number is the same each time.
  const flags = ['--allow-natives-syntax', '--no-concurrent-recompilation', flag];
  return Number(execFileSync(process.execPath, [...flags, '-e', PROGRAM]).toString());
}

it('the engine knows both settings: early is after less than half as many calls as late', () => {
  const late = callsUntilOptimised(LATE_OPTIMISATION);
  expect(late).toBeLessThan(1_000_000);
  expect(callsUntilOptimised(EARLY_OPTIMISATION)).toBeLessThan(late / 2);
});
