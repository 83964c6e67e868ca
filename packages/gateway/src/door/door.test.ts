import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type Env,
  EVERYONE,
  type HttpRequest,
  type RequestTls,
  StopSource,
  VirtualClock,
} from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseGatewayConfig } from '../config.ts';
import { gatewayMetrics } from '../metrics.ts';
import { Door } from './door.ts';
import { hostName, VirtualHosts } from './virtual-hosts.ts';

let directory: string;
let clock: VirtualClock;
let registry: Registry;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'pollux-door-'));
  clock = new VirtualClock(Date.UTC(2026, 10, 23, 8, 30));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const at = (name: string): string => path.join(directory, name);

function droppedLines(): number {
  const text = renderText(registry.gather());
  return Number(/^pollux_gateway_log_lines_dropped_total (\d+)$/m.exec(text)?.[1]);
}

function door(hosts: string): Door {
  const text = `groups: [{name: web, kind: http, members: [{name: w, url: 'http://w'}]}]\n${hosts}`;
  const env: Env = { ...nodeEnv(), clock };
  const config = parseGatewayConfig(text, 'gateway.yml');
  registry = new Registry();
  const metrics = gatewayMetrics(registry);
  return new Door({ env, log: Log.silent(), metrics, config, pid: 7 });
}

type Asked = {
  readonly headers?: Record<string, string>;
  readonly remote?: string;
  readonly tls?: RequestTls;
};

/** The status, and what was reached: `web`, `pair`, or nothing. */
async function ask(to: Door, url: string, asked: Asked = {}): Promise<string> {
  const { host, pathname } = new URL(url);
  const request: HttpRequest = {
    method: 'GET',
    target: pathname,
    headers: { host, ...asked.headers },
    remote: { host: asked.remote ?? '10.0.0.1', port: 1 },
    body: async () => new Uint8Array(),
    stream: () => new Response('').body as unknown as AsyncIterable<Uint8Array>,
    signal: new StopSource(),
    principal: EVERYONE,
    ...(asked.tls === undefined ? {} : { tls: asked.tls }),
  };
  let reached = '';
  const pending = to.handle(request, {
    toGroup: async (group, { principal }) => {
      reached = ` ${group} ${principal.user}`.trimEnd();
      return { status: 200, body: 'x' };
    },
    toPair: async () => {
      reached = ' pair';
      return { status: 200, body: 'pair' };
    },
  });
  const { status } = await Promise.race([pending, clock.advance(60_000).then(() => pending)]);
  return `${status}${reached}`;
}

describe('virtual hosts', () => {
  const names = ['a.test', '*.a.test', '*.long.a.test', 'www.*', '~^x\\d+\\.', '.both.test'];
  const hosts = new VirtualHosts<string>(
    names.map((name) => [[name], name] as const),
    'none',
  );
  it.each([
    ['a.test', 'a.test'],
    ['A.TEST:8080', 'a.test'],
    ['a.test.', 'a.test'],
    ['b.a.test', '*.a.test'],
    ['c.b.a.test', '*.a.test'],
    ['x.long.a.test', '*.long.a.test'],
    ['www.anything', 'www.*'],
    ['www.a.test', '*.a.test'],
    ['x12.test', '~^x\\d+\\.'],
    ['both.test', '.both.test'],
    ['sub.both.test', '.both.test'],
    ['other.test', 'none'],
  ])('%s is served by %s', (name, host) => {
    expect(hosts.find(name)).toBe(host);
  });

  it('keeps the brackets of an address', () => {
    expect(hostName('[::1]:80')).toBe('[::1]');
  });

  it('takes the exact location, then the longest prefix, then the pair', async () => {
    const to = door(`
hosts:
  - server_names: [h.test]
    locations:
      - {path: /web/, group: web}
      - {path: /web/pair/}
      - {path: /web/pair/one, match: exact, group: web}
`);
    const all = ['/web/x', '/web/pair/x', '/web/pair/one', '/x'];
    const reached = [];
    for (const one of all) reached.push(await ask(to, `http://h.test${one}`));
    expect(reached).toEqual(['200 web', '200 pair', '200 web', '404']);
    expect(await ask(to, 'http://other.test/x')).toBe('200 pair');
    to.close();
  });
});

describe('who may come in', () => {
  const basic = (pair: string): Asked => ({
    headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` },
  });
  /** Each of "secret": bcrypt, Apache's MD5, SHA-1. */
  const HASHES = {
    b: '$2b$04$oEe4qtnDLM.3jUijsa4tgOcIPd0PeNqmCpKNXkMjKZeiFLblVLSam',
    m: '$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0',
    s: '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=',
  };

  it('a password by each kind of hash, or a token; nobody else', async () => {
    writeFileSync(at('users'), `# people\nm:${HASHES.m}\ns:${HASHES.s}\n`);
    const to = door(`
hosts:
  - server_names: [h.test]
    auth: {users: {b: '${HASHES.b}'}, users_file: ${at('users')}, tokens: [t0ken]}
    locations: [{path: /, group: web}]
`);
    for (const user of ['b', 'm', 's']) {
      for (let i = 0; i < 2; i++) {
        expect(await ask(to, 'http://h.test/', basic(`${user}:secret`))).toBe(`200 web ${user}`);
      }
      expect(await ask(to, 'http://h.test/', basic(`${user}:secreT`))).toBe('401');
    }
    expect(await ask(to, 'http://h.test/')).toBe('401');
    expect(await ask(to, 'http://h.test/', basic('nobody:secret'))).toBe('401');
    expect(await ask(to, 'http://h.test/', { headers: { authorization: 'Bearer t0ken' } })).toBe(
      '200 web token',
    );
    expect(await ask(to, 'http://h.test/', { headers: { authorization: 'Bearer t0keN' } })).toBe(
      '401',
    );
    to.close();
  });

  it('a verified certificate, checked for the name that is asked for', async () => {
    writeFileSync(at('x.pem'), 'x');
    const to = door(`
hosts:
  - server_names: [h.test]
    tls: {cert_file: x, key_file: x, client_ca_file: x, client_certificate: required}
    locations: [{path: /, group: web}]
  - server_names: [open.test]
    locations: [{path: /, group: web}]
`);
    const tls = (serverName: string, fault: string | null | undefined): Asked => ({
      tls: {
        serverName,
        clientCertificate: fault === undefined ? null : { subject: 'CN=a', names: [], fault },
      },
    });
    expect(await ask(to, 'http://h.test/', tls('h.test', null))).toBe('200 web');
    expect(await ask(to, 'http://h.test/', tls('h.test', undefined))).toBe('400');
    expect(await ask(to, 'http://h.test/', tls('h.test', 'UNABLE_TO_VERIFY'))).toBe('400');
    expect(await ask(to, 'http://h.test/', tls('open.test', null))).toBe('421');
    expect(await ask(to, 'http://h.test/')).toBe('421');
    expect(await ask(to, 'http://open.test/', tls('h.test', undefined))).toBe('200 web');
    to.close();
  });
});

describe('rate limits', () => {
  it('are kept apart by their key, and drain with time', async () => {
    const to = door(`
hosts:
  - server_names: [h.test]
    rate_limits: [{rate: 60r/m, burst: 2, nodelay: true, status: 429}]
    locations: [{path: /, group: web}]
`);
    const six = async (remote: string): Promise<string[]> => {
      const all = [];
      for (let i = 0; i < 5; i++) all.push(ask(to, 'http://h.test/', { remote }));
      return Promise.all(all);
    };
    expect(await six('10.0.0.1')).toEqual(['200 web', '200 web', '200 web', '429', '429']);
    expect(await six('10.0.0.2')).toEqual(['200 web', '200 web', '200 web', '429', '429']);
    await clock.advance(2_000);
    expect((await six('10.0.0.1')).slice(0, 2)).toEqual(['200 web', '200 web']);
    to.close();
  });
});

describe('logs', () => {
  it('are written as nginx and as JSON, and go on in a new file when asked', async () => {
    const to = door(`
access_log: {file: ${at('all.log')}}
error_log: {file: ${at('error.log')}}
hosts:
  - server_names: [h.test]
    access_log: {file: ${at('h.json')}, format: json}
    locations: [{path: /, group: web}]
`);
    await ask(to, 'http://other.test/a', { headers: { 'user-agent': 'x"y\n' } });
    await ask(to, 'http://h.test/b');
    const request = {
      method: 'GET',
      target: '/',
      headers: { host: 'h' },
      remote: { host: '::1', port: 2 },
    };
    const fault = { level: 'error', text: 'broken', upstream: 'http://w' } as const;
    to.onFault({ ...fault, request: request as unknown as HttpRequest });
    renameSync(at('all.log'), at('old.log'));
    to.reopenLogs();
    await ask(to, 'http://other.test/c');
    to.close();
    expect(readFileSync(at('old.log'), 'utf8')).toBe(
      '10.0.0.1 - - [23/Nov/2026:08:30:00 +0000] "GET /a HTTP/1.1" 200 4 "-" "x\\x22y\\x0A"\n',
    );
    expect(readFileSync(at('all.log'), 'utf8')).toContain('"GET /c HTTP/1.1" 200');
    expect(JSON.parse(readFileSync(at('h.json'), 'utf8'))).toMatchObject({
      uri: '/b',
      status: 200,
      host: 'h.test',
      body_bytes_sent: 1,
    });
    expect(readFileSync(at('error.log'), 'utf8')).toMatch(
      /^2026\/11\/23 08:\d\d:00 \[error\] 7#7: broken, client: ::1, request: "GET \/ HTTP\/1.1", upstream: "http:\/\/w\/", host: "h"\n$/,
    );
  });
});

it('goes on when a log cannot be written, and counts what is lost', async () => {
  const to = door(`access_log: {file: /dev/full}`);
  expect(await ask(to, 'http://h.test/')).toBe('200 pair');
  expect(await ask(to, 'http://h.test/')).toBe('200 pair');
  to.close();
  expect(droppedLines()).toBe(2);
});

describe('gateway.yml', () => {
  it.each([
    ['server_names: []', 'gateway.yml:3:5: hosts[0].server_names: needs at least one name'],
    ["server_names: ['bad name']", '"bad name" is no name; write example.org'],
    ["server_names: ['~(']", 'missing closing )'],
    ['server_names: [a]\n    locations: [{path: /, group: nope}]', 'there is no group "nope"'],
    ['server_names: [a]\n    locations: [{path: x}]', 'path "x" must begin with "/"'],
    ['server_names: [a]\n    rate_limits: [{rate: 10}]', '"10" is no rate; write 10r/s or 30r/m'],
    [
      'server_names: [a]\n    auth: {users: {ann: secret}}',
      'gateway.yml:4:25: hosts[0].auth.users.ann: no hash',
    ],
    ['server_names: [a]\n    auth: {realm: x}', 'names no users and no tokens'],
    [
      'server_names: [a]\n    tls: {cert_file: x, key_file: x, client_certificate: required}',
      'needs client_ca_file',
    ],
    [
      'server_names: [a]\n    rate_limit: []',
      'gateway.yml:4:5: hosts[0]: unknown field "rate_limit"',
    ],
  ])('refuses %j with place and remedy', (host, message) => {
    expect(() => door(`hosts:\n  - ${host}\n`)).toThrow(message);
  });

  it('is shown in the documentation as it is', () => {
    const page = readFileSync(new URL('../../../../docs/gateway.md', import.meta.url), 'utf8');
    const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const hash = '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=';
    const written = example.replaceAll('…', 'x').replace('HASH', `'${hash}'`);
    const config = parseGatewayConfig(written, 'gateway.yml');
    const {
      groups,
      hosts,
      long_term: longTerm,
      access_log: _,
      error_log: __,
      listeners: ___,
      ...rest
    } = config;
    expect(longTerm).not.toBeNull();
    const {
      groups: bareGroups,
      hosts: ____,
      ...bare
    } = parseGatewayConfig(
      "groups: [{name: servers, kind: server, members: [{name: a, url: 'http://a:9090'}]}]",
      'gateway.yml',
    );
    // Values that are shown are those that hold without them.
    const queries = { ...bare.queries, slow_log: rest.queries.slow_log };
    expect({ ...bare, queries, access_log: null, error_log: null, listeners: [] }).toMatchObject(
      rest,
    );
    const { hedge: _h, health_check: _c, tls: _t, ...group } = groups[0]!;
    expect(bareGroups[0]).toMatchObject(group);
    expect(hosts).toHaveLength(1);
  });

  it('names the file of users and the entry that is bad', () => {
    writeFileSync(at('users'), 'ann:secret\n');
    const hosts = `hosts: [{server_names: [a], auth: {users_file: ${at('users')}}}]`;
    expect(() => door(hosts)).toThrow(/users: entry 1: no hash of a password/);
  });
});
