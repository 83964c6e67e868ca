import * as fs from 'node:fs';
import * as path from 'node:path';
import { NodeFiles } from '@pollux/base/node';
import { Log } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeDirectory, temporaryDirectory } from '../testing/fixtures.ts';
import { raiseHeadFloor, readHeadFloor } from './head-floor.ts';

let directory: string;
const lines: string[] = [];
const files = new NodeFiles();
const read = (): number =>
  readHeadFloor(
    files,
    directory,
    new Log({ level: 'info', format: 'logfmt', now: () => 0, write: (line) => lines.push(line) }),
  );
beforeEach(() => {
  directory = temporaryDirectory();
  lines.length = 0;
});
afterEach(() => removeDirectory(directory));

describe('where the head begins when no block says it', () => {
  it('is what was written last, and nothing before', () => {
    expect(read()).toBe(Number.NEGATIVE_INFINITY);
    for (const minMs of [-60_000, 0, 1_700_000_000_000, Number.MAX_SAFE_INTEGER]) {
      raiseHeadFloor(files, directory, minMs);
      expect(read()).toBe(minMs);
    }
    expect(lines).toEqual([]);
  });

  it('is nothing in a damaged file, which is told', () => {
    for (const text of ['', '12', '1e3\n', 'x\n', '12345678901234567\n', '1\n2\n']) {
      lines.length = 0;
      fs.writeFileSync(path.join(directory, 'head_floor'), text);
      expect(read()).toBe(Number.NEGATIVE_INFINITY);
      expect(lines.join()).toContain(`${directory}/head_floor`);
    }
  });
});
