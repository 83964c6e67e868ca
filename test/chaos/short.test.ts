import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Scratch } from '../system/running-role.ts';

type Figures = {
  readonly runs: readonly {
    readonly questions: number;
    readonly counts: Readonly<Record<string, { readonly all: number; readonly beyond: number }>>;
    readonly faults: readonly { readonly kind: string }[];
  }[];
};

it('half a minute of a real pair with a host that is cut off shows a user nothing that its invariants do not allow', () => {
  const scratch = new Scratch();
  try {
    const out = scratch.at('report');
    const root = path.resolve(import.meta.dirname, '../..');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [path.join(root, 'tools/chaos.mjs'), '--built', '--short', '--seed=11', `--out=${out}`],
      { cwd: root, encoding: 'utf8', timeout: 100_000 },
    );
    expect(status, `${stdout}${stderr}`).toBe(0);
    const { runs } = JSON.parse(readFileSync(path.join(out, 'figures.json'), 'utf8')) as Figures;
    const [run] = runs;
    expect(run?.faults).toHaveLength(1);
    expect(run?.questions).toBeGreaterThan(60);
    expect(readFileSync(path.join(out, 'report.md'), 'utf8')).toContain('--short');
  } finally {
    scratch.remove();
  }
});
