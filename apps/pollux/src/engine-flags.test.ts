import { execFileSync } from 'node:child_process';
import * as path from 'node:path';
import { expect, it } from 'vitest';

/** In a process of its own, since the flags are of a process and stay. Prints the megabytes of its young objects. */
const PROGRAM = `
  import { getHeapSpaceStatistics } from 'node:v8';
  import { Worker } from 'node:worker_threads';
  const { setEngineFlags } = await import(process.argv[1]);
  setEngineFlags(process.argv.slice(2));
  const thread = new Worker('', { eval: true });
  await new Promise((resolve) => thread.once('exit', resolve));
  const kept = [];
  for (let i = 0; i < 200_000; i++) kept.push({ text: 'object ' + i });
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  console.log(JSON.stringify([kept.length, young.space_size / 2 ** 20]));
`;

function youngMegabytes(...flags: readonly string[]): number {
  const module = path.join(import.meta.dirname, 'engine-flags.ts');
  const args = ['--import', 'tsx', '--input-type=module', '--eval', PROGRAM, module, ...flags];
  const [, megabytes] = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as [
    number,
    number,
  ];
  return megabytes;
}

it('young objects that may not grow still do not when a thread has started', {
  timeout: 30_000,
}, () => {
  expect(youngMegabytes()).toBeGreaterThanOrEqual(16);
  expect(youngMegabytes('--semi-space-growth-factor=1')).toBeLessThanOrEqual(8);
});
