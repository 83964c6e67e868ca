import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { HttpRequest, Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runInPlace } from '../command/testing.ts';
import { command } from './index.ts';

const env = nodeEnv();
let directory: string;
let listener: Listener;
let taken: { target: string; body: string }[];

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'import-'));
  taken = [];
  const options = { at: { host: '127.0.0.1', port: 0 }, maxConnections: 8, readTimeoutMs: 5_000 };
  listener = await env.net.serveHttp(options, async (request: HttpRequest) => {
    const body = new TextDecoder().decode(await request.body(100_000_000));
    if (request.target === '/ping') return { status: 204 };
    taken.push({ target: request.target, body });
    if (request.target === '/query') return { status: 200, body: '{"results":[{}]}' };
    if (body.includes('bad')) return { status: 400, body: '{"error":"unable to parse"}' };
    return { status: 204 };
  });
});
afterEach(async () => {
  await listener.close(0);
  fs.rmSync(directory, { recursive: true, force: true });
});

function run(text: string | Uint8Array, ...flags: readonly string[]) {
  const file = path.join(directory, 'file');
  fs.writeFileSync(file, text);
  const address = ['-host', '127.0.0.1', '-port', String(listener.address.port)];
  return runInPlace(command, [...address, '-import', '-path', file, ...flags], { env });
}

const FILE = `# DDL
CREATE DATABASE a

# DML
# CONTEXT-DATABASE: a
# CONTEXT-RETENTION-POLICY: autogen
m v=1 1
m v=2 2
# a remark
# CONTEXT-DATABASE: b
m v=3 3`;

it.each([false, true])(
  'runs the statements and sends each line to its place (gzip: %s)',
  async (isGzip) => {
    const ran = await run(isGzip ? gzipSync(FILE) : FILE, ...(isGzip ? ['-compressed'] : []));
    expect(ran.stderr).toBe('');
    expect(ran.status).toBe(0);
    expect(ran.stdout.replace(/^\S+ \S+ /gm, '')).toBe(
      'Processed 1 commands\nProcessed 3 inserts\nFailed 0 inserts\n',
    );
    expect(
      taken.map(({ target, body }) => [new URL(target, 'http://x').searchParams.get('db'), body]),
    ).toEqual([
      [null, 'q=CREATE+DATABASE+a&db='],
      ['a', 'm v=1 1\nm v=2 2'],
      ['b', 'm v=3 3'],
    ]);
    expect(taken[1]?.target).toContain('rp=autogen');
  },
);

it('goes on behind a batch that is refused, and ends with 1', async () => {
  const lines = Array.from({ length: 7_000 }, (_, i) => (i === 10 ? 'bad' : `m v=1 ${i}`));
  const ran = await run(`# DML\n# CONTEXT-DATABASE: a\n${lines.join('\n')}\n`);
  expect(ran.status).toBe(1);
  expect(ran.stdout).toContain('Processed 2000 inserts');
  expect(ran.stdout).toContain('Failed 5000 inserts');
  expect(ran.stderr).toContain('unable to parse');
  expect(ran.stderr).toContain('ERROR: 5000 points were not inserted');
});

it('says so when there is no file, or it is not gzipped', async () => {
  expect((await run('m v=1', '-compressed')).stderr).toContain('incorrect header check');
  const address = ['-host', '127.0.0.1', '-port', String(listener.address.port)];
  const none = await runInPlace(command, [...address, '-import'], { env });
  expect([none.status, none.stderr]).toEqual([1, 'ERROR: file argument required\n\n']);
});
