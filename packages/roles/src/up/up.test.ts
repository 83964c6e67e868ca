import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDirectory, nodeEnv } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import { parseFlags } from '../flags/flags.ts';
import { role } from './index.ts';

describe('up', () => {
  it('touches nothing in a directory where another pair runs', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'up-'));
    const release = lockDirectory(directory);
    const { values, given } = parseFlags(role.flags, [`--data=${directory}`]);
    const context = {
      env: nodeEnv(),
      log: Log.silent(),
      registry: new Registry(),
      lock: lockDirectory,
      variables: {},
      hostname: 'h',
    };
    await expect(role.start(context, values, given)).rejects.toThrow('in use by process');
    expect(existsSync(join(directory, 'A'))).toBe(false);
    release();
  });
});
