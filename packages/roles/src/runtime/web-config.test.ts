import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HttpClientRequest, VirtualClock } from '@pollux/base';
import { NodeFiles, nodeEnv } from '@pollux/base/node';
import { Router, text } from '@pollux/http';
import { Log } from '@pollux/telemetry';
import bcrypt from 'bcryptjs';
import { afterEach, describe, expect, it } from 'vitest';
import { listenGuarded } from './web.ts';
import { WebConfig } from './web-config.ts';

const testdata = (name: string): string =>
  readFileSync(new URL(`../../../base/testdata/${name}`, import.meta.url), 'utf8');
const CERTIFICATE = testdata('localhost.crt');
const KEY = testdata('localhost.key');
const hash = (password: string): string => bcrypt.hashSync(password, 4);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function prepare(yaml: string) {
  const directory = mkdtempSync(join(tmpdir(), 'pollux-web-'));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'web.yml');
  writeFileSync(file, yaml);
  writeFileSync(join(directory, 'server.crt'), CERTIFICATE);
  writeFileSync(join(directory, 'server.key'), KEY);
  const clock = new VirtualClock(0);
  const logged: string[] = [];
  const log = new Log({
    level: 'info',
    format: 'logfmt',
    now: () => 0,
    write: (line) => logged.push(line),
  });
  const make = () => new WebConfig({ clock, files: new NodeFiles() }, log, file);
  return { make, clock, logged, write: (text: string) => writeFileSync(file, text) };
}

async function serve(yaml: string) {
  const { make, ...rest } = prepare(yaml);
  const env = nodeEnv();
  const router = new Router({ monotonic: () => 0 });
  router.get('/who', async ({ principal }) => text(200, principal.user));
  router.post('/echo', async ({ request }) =>
    text(200, new TextDecoder().decode(await request.body(100))),
  );
  const web = make();
  const listener = await listenGuarded(env, { host: '127.0.0.1', port: 0 }, router, web);
  cleanups.push(() => listener.close(0));
  const ask = async (
    path: string,
    login: string | null = null,
    more: Partial<HttpClientRequest> = {},
  ) => {
    const scheme = web.tls === undefined ? 'http' : 'https';
    const answer = await env.net.request({
      method: 'GET',
      url: `${scheme}://localhost:${listener.address.port}${path}`,
      headers:
        login === null ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` },
      timeoutMs: 5_000,
      ...more,
    });
    return { ...answer, text: new TextDecoder().decode(answer.body) };
  };
  return { ask, ...rest };
}

const USERS = (password: string): string => `basic_auth_users: {eve: '${hash(password)}'}\n`;

describe('a web configuration', () => {
  it('lets in users by their passwords and nobody else, and tells handlers who came', async () => {
    const { ask } = await serve(USERS('pass:word'));
    expect(await ask('/who', 'eve:pass:word')).toMatchObject({ status: 200, text: 'eve' });
    expect(await ask('/who', 'eve:pass:word')).toMatchObject({ status: 200, text: 'eve' });
    const posted = { method: 'POST', body: 'hello' };
    expect((await ask('/echo', 'eve:pass:word', posted)).text).toBe('hello');
    for (const login of [null, 'eve:wrong', 'eve', 'adam:pass:word', ':']) {
      const refused = await ask('/who', login);
      expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Basic']);
      expect(refused.text).not.toContain('eve');
    }
    expect((await ask('/nosuch')).status).toBe(401);
  });

  it('is read again: a password that was changed, a user who is gone; a file that is broken changes nothing', async () => {
    const { ask, write, clock, logged } = await serve(USERS('old'));
    expect((await ask('/who', 'eve:old')).status).toBe(200);
    write(USERS('new'));
    await clock.advance(1_500);
    expect((await ask('/who', 'eve:old')).status).toBe(401);
    expect((await ask('/who', 'eve:new')).status).toBe(200);
    write('basic_auth_users: {eve: new}\n');
    await clock.advance(1_500);
    expect((await ask('/who', 'eve:new')).status).toBe(200);
    expect(logged.join()).toContain('must be a bcrypt hash');
    write('{}');
    await clock.advance(1_500);
    expect(await ask('/who')).toMatchObject({ status: 200, text: '' });
  });

  it('adds its headers to all answers', async () => {
    const { ask } = await serve(
      `http_server_config: {headers: {X-Frame-Options: deny}}\n${USERS('p')}`,
    );
    expect((await ask('/who', 'eve:p')).headers['x-frame-options']).toBe('deny');
    expect((await ask('/who')).headers['x-frame-options']).toBe('deny');
  });

  it('serves TLS, and asks for certificates of clients', async () => {
    const tls = 'cert_file: server.crt, key_file: server.key';
    const { ask } = await serve(`tls_server_config: {${tls}}\n`);
    expect((await ask('/who', null, { tls: { ca: CERTIFICATE } })).status).toBe(200);
    await expect(ask('/who')).rejects.toThrow();
    const strict = await serve(
      `tls_server_config: {${tls}, client_ca_file: server.crt, client_auth_type: RequireAndVerifyClientCert}\n`,
    );
    const known = { ca: CERTIFICATE, certificate: CERTIFICATE, key: KEY };
    expect((await strict.ask('/who', null, { tls: { ca: CERTIFICATE } })).status).toBe(400);
    expect((await strict.ask('/who', null, { tls: known })).status).toBe(200);
  });

  it.each([
    ['basic_auth_users: {eve: hunter2}', 'basic_auth_users.eve: must be a bcrypt hash'],
    ['tls_server_config: {key_file: server.key}', 'missing one of cert or cert_file'],
    ['tls_server_config: {cert_file: server.crt}', 'missing one of key or key_file'],
    [
      'tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: server.crt}',
      'Client CAs have been configured without a Client Auth Policy',
    ],
    [
      'tls_server_config: {cert_file: server.crt, key_file: server.key, cipher_suites: [X]}',
      'cipher_suites is not supported',
    ],
    ['http_server_config: {headers: {X-Other: y}}', 'HTTP header "X-Other" can not be configured'],
    ['nosuch: 1', 'unknown field "nosuch"'],
  ])('is refused with its place, and without a secret: %s', (yaml, message) => {
    const { make } = prepare(yaml);
    let refused = '';
    try {
      make();
    } catch (error) {
      refused = (error as Error).message;
    }
    expect(refused).toContain(message);
    expect(refused).toMatch(/web\.yml:\d+:\d+/);
    expect(refused).not.toContain('hunter2');
  });
});
