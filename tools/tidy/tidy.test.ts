import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkDocument, checkMachine, checkName, checkSource, longFiles } from './checks.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const MAX_BLOB_BYTES = 256 * 1024;
/** Recorded data may be larger: it is read by tests, never by people. */
const DATA = /(^|\/)testdata\/|^package-lock\.json$/;

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(path.join(root, file)));

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const sources = tracked.filter(
  (file) => /\.tsx?$/.test(file) && !/\/(?:generated|testdata)\//.test(file),
);

describe('the tree', () => {
  it('has names that say something', () => {
    expect(tracked.flatMap(checkName)).toEqual([]);
  });

  it('has no unfinished work, focused tests or swallowed errors', () => {
    const checked = sources.filter((file) => !file.startsWith('tools/tidy/'));
    expect(checked.flatMap((file) => checkSource(file, read(file)))).toEqual([]);
  });

  it('reaches the machine through Env only', () => {
    const rooms = sources.filter((file) => file.startsWith('packages/'));
    expect(rooms.flatMap((file) => checkMachine(file, read(file)))).toEqual([]);
  });

  it('has documents that name only what exists', () => {
    const documents = tracked.filter((file) => file.endsWith('.md'));
    const exists = (name: string): boolean => existsSync(path.join(root, name));
    expect(documents.flatMap((file) => checkDocument(file, read(file), exists))).toEqual([]);
  });

  it('has no large blobs', () => {
    const large = tracked.filter(
      (file) => !DATA.test(file) && statSync(path.join(root, file)).size > MAX_BLOB_BYTES,
    );
    expect(large).toEqual([]);
  });

  it('reports files over the aim', () => {
    const long = longFiles(sources.map((file) => ({ file, lines: read(file).split('\n').length })));
    if (long.length > 0)
      process.stderr.write(`over the aim of 600 lines (tests 1,000):\n  ${long.join('\n  ')}\n`);
  });
});

describe('the checks themselves', () => {
  it('find names that say nothing', () => {
    expect(checkName('packages/x/src/utils.ts')).toHaveLength(1);
    expect(checkName('packages/x/src/helpers/a.ts')).toHaveLength(1);
    expect(checkName('packages/x/src/CamelCase.ts')).toHaveLength(1);
    expect(checkName('packages/x/src/read.test.ts')).toEqual([]);
  });

  it('find banned words and swallowed errors', () => {
    expect(checkSource('a.ts', '// TODO later\n')).toHaveLength(1);
    expect(checkSource('a.ts', 'try { x(); } catch {}\n')).toHaveLength(1);
    expect(checkSource('a.ts', "export * from './b.ts';\n")).toHaveLength(1);
    expect(checkSource('a.ts', 'const fine = 1;\n')).toEqual([]);
  });

  it('find the machine in a room, not in an adapter or a comment', () => {
    expect(checkMachine('packages/x/src/a.ts', 'const t = Date.now();')).toHaveLength(1);
    expect(checkMachine('packages/base/src/node/clock.ts', 'const t = Date.now();')).toEqual([]);
    expect(checkMachine('packages/x/src/a.ts', ' * never Date.now()')).toEqual([]);
  });

  it('find what a document names and does not exist', () => {
    const none = (): boolean => false;
    expect(checkDocument('docs/a.md', '# A\n[b](b.md) and `packages/x/y.ts`\n', none)).toHaveLength(
      2,
    );
    expect(checkDocument('docs/a.md', '# A\n# B\n', none)).toHaveLength(1);
  });
});
