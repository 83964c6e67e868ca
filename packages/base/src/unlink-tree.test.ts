import * as fs from 'node:fs';
import * as os from 'node:os';
import { expect, it } from 'vitest';
import { unlinkTree } from './index.ts';
import { NodeFiles } from './node/index.ts';

it('a tree is removed without one call that removes a file at once', async () => {
  const directory = fs.mkdtempSync(`${os.tmpdir()}/unlink-`);
  fs.mkdirSync(`${directory}/tree/below/empty`, { recursive: true });
  for (const name of ['a', 'below/b', 'below/c'])
    fs.writeFileSync(`${directory}/tree/${name}`, 'x');
  fs.writeFileSync(`${directory}/beside`, 'x');
  const files = new (class extends NodeFiles {
    override removeTree(path: string): void {
      // What is left of a directory then has no file in it.
      expect(fs.readdirSync(path)).toEqual([]);
      super.removeTree(path);
    }
  })();
  await unlinkTree(files, `${directory}/tree`);
  expect(fs.readdirSync(directory)).toEqual(['beside']);
  await unlinkTree(files, `${directory}/tree`);
  fs.rmSync(directory, { recursive: true });
});
