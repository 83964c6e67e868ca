import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { nodeEnv } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import bcrypt from 'bcryptjs';
import { afterEach, expect, it } from 'vitest';
import { parseFlags } from '../flags/flags.ts';
import type { RunningRole } from '../runtime/role.ts';
import { role } from './index.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'node-exporter-'));
let running: RunningRole | null = null;

afterEach(async () => {
  await running?.close();
  rmSync(directory, { recursive: true, force: true });
});

it('lets in who the web configuration names, on each of its addresses', async () => {
  const file = path.join(directory, 'web.yml');
  writeFileSync(file, `basic_auth_users: {eve: '${bcrypt.hashSync('pw', 4)}'}\n`);
  const env = nodeEnv();
  const flags = [
    `--web.config.file=${file}`,
    '--web.listen-address=127.0.0.1:0',
    '--web.listen-address=127.0.0.1:0',
  ];
  const { values, given } = parseFlags(role.flags, flags);
  const log = new Log({ level: 'error', format: 'logfmt', now: () => 0, write: () => {} });
  const context = { env, log, registry: new Registry(), lock: () => () => {}, variables: {} };
  running = await role.start({ ...context, hostname: 'h' }, values, given);
  const ask = async (login: string | null): Promise<number> => {
    const headers =
      login === null ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
    const url = `http://127.0.0.1:${running?.address?.port}/metrics`;
    return (await env.net.request({ method: 'GET', url, headers, timeoutMs: 10_000 })).status;
  };
  expect(await ask(null)).toBe(401);
  expect(await ask('eve:pw')).toBe(200);
});
