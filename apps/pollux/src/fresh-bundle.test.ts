import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { expect, it } from 'vitest';

const MODULE = new URL('../../../bin/fresh-bundle.mjs', import.meta.url).href;

it('the program starts from its bundle unless there is none, or a room was built since', async () => {
  const { freshBundle } = (await import(MODULE)) as {
    freshBundle: (root: string) => string | null;
  };
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-bundle-'));
  try {
    const put = (name: string, seconds: number): string => {
      const file = path.join(root, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, '');
      fs.utimesSync(file, seconds, seconds);
      return file;
    };
    put('packages/tsdb/dist/.tsbuildinfo', 1000);
    put('packages/never-built/package.json', 3000);
    put('apps/pollux/dist/.tsbuildinfo', 1000);
    expect(freshBundle(root)).toBeNull();
    const entry = put('apps/pollux/dist/bundle/main.js', 2000);
    expect(freshBundle(root)).toBe(entry);
    put('package-lock.json', 2001);
    expect(freshBundle(root)).toBeNull();
    put('package-lock.json', 1000);
    expect(freshBundle(root)).toBe(entry);
    put('packages/tsdb/dist/.tsbuildinfo', 2001);
    expect(freshBundle(root)).toBeNull();
  } finally {
    fs.rmSync(root, { recursive: true });
  }
});
