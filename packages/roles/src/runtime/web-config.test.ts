import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { type Address, type HttpClientRequest, VirtualClock } from '@pollux/base';
import { NodeFiles, nodeEnv } from '@pollux/base/node';
import { Router, text } from '@pollux/http';
import { Log, Registry } from '@pollux/telemetry';
import bcrypt from 'bcryptjs';
import { afterEach, describe, expect, it } from 'vitest';
import { listenOn } from './web.ts';
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
  const registry = new Registry();
  const logged: string[] = [];
  const log = new Log({
    level: 'info',
    format: 'logfmt',
    now: () => 0,
    write: (line) => logged.push(line),
  });
  const make = () => new WebConfig({ env: { clock, files: new NodeFiles() }, log, registry }, file);
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
  const listener = await listenOn(env, [{ host: '127.0.0.1', port: 0 }], router, {
    web,
    maxConnections: 9,
  });
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
  return { ask, port: listener.address.port, ...rest };
}

/** What a client with these settings agrees on with the server; the error's code when it does not. */
function handshake(port: number, options: tls.ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ca: CERTIFICATE, ...options }, () => {
      const { name } = socket.getEphemeralKeyInfo() as { name?: string };
      resolve(`${socket.getProtocol()} ${socket.getCipher().name} ${name}`);
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

/** The first line that a client with these settings gets for a request; the error's code, or `closed`, when it gets none. */
function firstWord(port: number, options: tls.ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ca: CERTIFICATE, ...options }, () => {
      socket.write('GET /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    });
    socket.once('data', (data) => resolve(data.toString().split('\r\n')[0] ?? ''));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNRESET' ? 'closed' : (error.code ?? error.message)),
    );
    socket.on('close', () => resolve('closed'));
  });
}

const FILES = 'cert_file: server.crt, key_file: server.key';
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
    const { ask } = await serve(`tls_server_config: {${FILES}}\n`);
    expect((await ask('/who', null, { tls: { ca: CERTIFICATE } })).status).toBe(200);
    await expect(ask('/who')).rejects.toThrow();
    const strict = await serve(
      `tls_server_config: {${FILES}, client_ca_file: server.crt, client_auth_type: RequireAndVerifyClientCert}\n`,
    );
    const known = { ca: CERTIFICATE, certificate: CERTIFICATE, key: KEY };
    await expect(strict.ask('/who', null, { tls: { ca: CERTIFICATE } })).rejects.toThrow();
    expect((await strict.ask('/who', null, { tls: known })).status).toBe(200);
  });

  it('fails the handshake of a client without the certificate that it needs, with the alert that tells why', async () => {
    const verify = `${FILES}, client_ca_file: server.crt, client_auth_type: RequireAndVerifyClientCert`;
    const { port, logged, write, clock } = await serve(`tls_server_config: {${verify}}\n`);
    expect(await firstWord(port, {})).toMatch(/CERTIFICATE_REQUIRED/);
    const upTo12 = { maxVersion: 'TLSv1.2' } as const;
    expect(await firstWord(port, upTo12)).toMatch(/HANDSHAKE_FAILURE/);
    expect(await firstWord(port, { cert: CERTIFICATE, key: KEY })).toBe('HTTP/1.1 200 OK');
    expect(logged.join()).toContain(
      'msg="TLS handshake refused" err="peer did not return a certificate"',
    );
    // Nobody got in since, and still the file is read again.
    write(`tls_server_config: {${FILES}}\n`);
    await clock.advance(1_500);
    await firstWord(port, {});
    expect(await firstWord(port, {})).toBe('HTTP/1.1 200 OK');
    write(`tls_server_config: {${verify}, client_allowed_sans: [a.test]}\n`);
    await clock.advance(1_500);
    await firstWord(port, {});
    expect(await firstWord(port, {})).toMatch(/CERTIFICATE_REQUIRED/);
    expect(await firstWord(port, { cert: CERTIFICATE, key: KEY })).toBe('closed');
    expect(logged.join()).toContain('has none of the names that may come in');
  });

  it('agrees on no other versions, suites and curves than those it names', async () => {
    const serving = async (more: string): Promise<number> =>
      (await serve(`tls_server_config: {${FILES}, ${more}}\n`)).port;
    const upTo12 = await serving(
      'max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]',
    );
    expect(await handshake(upTo12, {})).toMatch(/^TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 /);
    expect(await handshake(upTo12, { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).toMatch(
      /^ERR_SSL/,
    );
    expect(await handshake(upTo12, { minVersion: 'TLSv1.3' })).toMatch(/^ERR_SSL/);
    const from13 = await serving('min_version: TLS13, curve_preferences: [CurveP521]');
    expect(await handshake(from13, {})).toMatch(/^TLSv1.3 .* secp521r1$/);
    expect(await handshake(from13, { ecdhCurve: 'X25519' })).toMatch(/^ERR_SSL/);
    expect(await handshake(from13, { maxVersion: 'TLSv1.2' })).toMatch(/^ERR_SSL/);
    const only13 = await serving('cipher_suites: [TLS_AES_128_GCM_SHA256]');
    expect(await handshake(only13, { maxVersion: 'TLSv1.2' })).toMatch(/^ERR_SSL/);
    const old = {
      maxVersion: 'TLSv1',
      minVersion: 'TLSv1',
      ciphers: 'DEFAULT:@SECLEVEL=0',
    } as const;
    expect(await handshake(await serving('min_version: TLS10'), old)).toMatch(/^TLSv1 /);
    expect(await handshake(await serving('min_version: TLS12'), old)).toMatch(/^ERR_SSL/);
  });

  it('lets in certificates with a name that it allows', async () => {
    const known = { ca: CERTIFICATE, certificate: CERTIFICATE, key: KEY };
    /** Null for who is not let in. */
    const statusFor = async (more: string, asked: object): Promise<number | null> => {
      const { ask } = await serve(`tls_server_config: {${FILES}, ${more}}\n`);
      const asking = ask('/who', null, { tls: { ca: CERTIFICATE, ...asked } });
      return await asking.then(
        ({ status }) => status,
        () => null,
      );
    };
    const verified = 'client_ca_file: server.crt, client_auth_type: RequireAndVerifyClientCert';
    expect(await statusFor(`${verified}, client_allowed_sans: [a.test, localhost]`, known)).toBe(
      200,
    );
    expect(await statusFor(`${verified}, client_allowed_sans: [127.0.0.1]`, known)).toBe(200);
    expect(await statusFor(`${verified}, client_allowed_sans: [local]`, known)).toBe(null);
    expect(await statusFor(`${verified}, client_allowed_sans: []`, known)).toBe(null);
    const wanted = 'client_auth_type: RequestClientCert';
    expect(await statusFor(wanted, {})).toBe(200);
    expect(await statusFor(`${wanted}, client_allowed_sans: [localhost]`, {})).toBe(null);
    expect(await statusFor(`${wanted}, client_allowed_sans: [localhost]`, known)).toBe(200);
    // Nobody is asked, so nobody is looked at.
    expect(await statusFor('client_allowed_sans: [a.test]', {})).toBe(200);
  });

  it('takes certificates that are written in the file itself', async () => {
    const inline = (name: string, pem: string): string =>
      `  ${name}: |\n${pem.replace(/^/gm, '    ')}\n`;
    const { ask } = await serve(
      `tls_server_config:\n${inline('cert', CERTIFICATE)}${inline('key', KEY)}`,
    );
    expect((await ask('/who', null, { tls: { ca: CERTIFICATE } })).status).toBe(200);
  });

  it('guards every address that is listened on, and one that is taken closes the others', async () => {
    const env = nodeEnv();
    const router = new Router({ monotonic: () => 0 });
    router.get('/who', async ({ principal }) => text(200, principal.user));
    const { make } = prepare(USERS('p'));
    const at = { host: '127.0.0.1', port: 0 };
    const opened: Address[] = [];
    const noting = {
      ...env,
      net: {
        ...env.net,
        serveHttp: async (...args: Parameters<typeof env.net.serveHttp>) => {
          const listener = await env.net.serveHttp(...args);
          opened.push(listener.address);
          return listener;
        },
      },
    };
    const limits = { web: make(), maxConnections: 9 };
    const listener = await listenOn(noting, [at, at], router, limits);
    expect(listener.address).toEqual(opened[0]);
    for (const { port } of opened) {
      const url = `http://127.0.0.1:${port}/who`;
      expect((await env.net.request({ method: 'GET', url, timeoutMs: 5_000 })).status).toBe(401);
    }
    await listener.close(0);
    const taken = await env.net.serveHttp(
      { at, maxConnections: 1, readTimeoutMs: 100 },
      router.handler,
    );
    cleanups.push(() => taken.close(0));
    opened.length = 0;
    await expect(listenOn(noting, [at, taken.address], router, limits)).rejects.toThrow(
      'is in use by another program',
    );
    const [first] = opened;
    const url = `http://127.0.0.1:${first?.port}/who`;
    await expect(env.net.request({ method: 'GET', url, timeoutMs: 5_000 })).rejects.toThrow();
  });

  it.each([
    ['basic_auth_users: {eve: hunter2}', 'basic_auth_users.eve: must be a bcrypt hash'],
    ['tls_server_config: {key_file: server.key}', 'missing one of cert or cert_file'],
    ['tls_server_config: {cert_file: server.crt}', 'missing one of key or key_file'],
    [
      `tls_server_config: {${FILES}, client_ca_file: server.crt}`,
      "client CA's have been configured without a Client Auth Policy",
    ],
    [`tls_server_config: {${FILES}, client_auth_type: x}`, 'invalid ClientAuth: x'],
    [`tls_server_config: {${FILES}, cipher_suites: [X]}`, 'unknown cipher: X'],
    [`tls_server_config: {${FILES}, curve_preferences: [P256]}`, 'unknown curve: P256'],
    [`tls_server_config: {${FILES}, min_version: TLS111}`, 'unknown TLS version: TLS111'],
    [
      `tls_server_config: {${FILES}, min_version: TLS13, max_version: TLS12}`,
      'no version is both TLS13 or above and TLS12 or below',
    ],
    [
      'tls_server_config: {cert_file: server.crt, key_file: server.crt}',
      'failed to load the certificate and its key',
    ],
    [
      'http_server_config: {headers: {X-Frame-Options: all}}',
      'invalid value for X-Frame-Options. Expected one of: ["deny" "sameorigin"], but got: "all"',
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
