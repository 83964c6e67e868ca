import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';

const program = (doing: string): string => `
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { growYoungGenerationWhenBusy } from './young-generation.ts';
setFlagsFromString('--semi-space-growth-factor=1');
growYoungGenerationWhenBusy(4);
const endMs = Date.now() + 1_300;
const work = () => {
  const stopMs = Date.now() + 10;
  while (Date.now() < stopMs) Array.from({ length: 100 }, (_, i) => ({ i }));
};
const turn = setInterval(() => {
  ${doing}
  if (Date.now() < endMs) return;
  clearInterval(turn);
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  console.log(space.space_size / 2 ** 21);
}, 20);
`;

/** Mebibytes of one half afterwards. */
function halfAfter(doing: string): number {
  const node = [
    '--conditions=@pollux/source',
    '--import',
    'tsx',
    '--input-type=module',
    '-e',
    program(doing),
  ];
  const out = execFileSync(process.execPath, node, { cwd: path.join(import.meta.dirname) });
  return Number(out.toString());
}

it('a process that has work gets a larger young generation, one that has none does not', () => {
  expect(halfAfter('work();')).toBe(4);
  expect(halfAfter('')).toBeLessThan(4);
});
