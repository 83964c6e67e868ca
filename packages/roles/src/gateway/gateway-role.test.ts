import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { nodeEnv } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseFlags } from '../flags/flags.ts';
import type { RunningRole } from '../runtime/role.ts';
import { role } from './index.ts';

const hasOpenssl = spawnSync('openssl', ['version']).error === undefined;

describe.skipIf(!hasOpenssl)(
  `TLS at the gateway${hasOpenssl ? '' : ' (skipped: no openssl)'}`,
  () => {
    let directory: string;
    let member: http.Server;
    let running: RunningRole | null = null;
    beforeAll(async () => {
      directory = mkdtempSync(path.join(tmpdir(), 'pollux-gateway-'));
      authority('ca');
      for (const name of ['one', 'two', 'client']) certificate(name, 'ca');
      authority('other-ca');
      certificate('stranger', 'other-ca');
      member = http.createServer((request, response) => {
        response.end(`${request.headers['x-forwarded-proto']} ${request.headers.host}`);
      });
      await new Promise<void>((resolve) => member.listen(0, '127.0.0.1', resolve));
    });
    afterEach(async () => {
      await running?.close();
      running = null;
    });
    afterAll(() => {
      member.close();
      rmSync(directory, { recursive: true, force: true });
    });

    it('shows the certificate of the name that is asked for, or the listener’s own', async () => {
      const port = await start(config({}));
      expect(await ask(port, 'one')).toEqual({ shown: 'one', status: 200, body: 'https one' });
      expect(await ask(port, 'two')).toEqual({ shown: 'two', status: 200, body: 'https two' });
      expect(await ask(port, 'three')).toMatchObject({ shown: 'one' });
    });

    it('lets in only those with a certificate of its authority where one is required', async () => {
      const port = await start(
        config({ two: ', client_ca_file: ca.crt, client_certificate: required' }),
      );
      expect(await ask(port, 'two', 'client')).toMatchObject({ status: 200 });
      expect(await ask(port, 'two')).toMatchObject({ status: 400 });
      expect(await ask(port, 'two', 'stranger')).toMatchObject({ status: 400 });
      expect(await ask(port, 'one')).toMatchObject({ status: 200 });
      // Another name in the handshake than in the request.
      expect(await ask(port, 'one', 'client', 'two')).toMatchObject({ status: 421 });
    });

    it('asks members over TLS, and none whose certificate is not that of its authority', async () => {
      const server = https.createServer(
        { cert: readFileSync(at('two.crt')), key: readFileSync(at('two.key')) },
        (_, response) => response.end('by TLS'),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port: memberPort } = server.address() as AddressInfo;
      const group = (name: string, more: string): string =>
        `{name: ${name}, kind: http, members: [{name: ${name}, url: 'https://127.0.0.1:${memberPort}'}], tls: {ca_file: ${at(more)}, server_name: two}}`;
      const port = await start(
        (to) => `
groups: [${group('good', 'ca.crt')}, ${group('bad', 'other-ca.crt')}]
listeners: [{address: '127.0.0.1:${to}', tls: {cert_file: ${at('one.crt')}, key_file: ${at('one.key')}}}]
hosts:
  - {server_names: [good], locations: [{path: /, group: good}]}
  - {server_names: [bad], locations: [{path: /, group: bad}]}
`,
      );
      expect(await ask(port, 'good')).toMatchObject({ status: 200, body: 'by TLS' });
      expect(await ask(port, 'bad')).toMatchObject({ status: 502 });
      server.closeAllConnections();
      server.close();
    });

    it('takes renewed certificates and other hosts while it serves, and keeps all at a bad file', async () => {
      const port = await start(config({}));
      const before = await serial(port, 'two');
      certificate('two', 'ca');
      await running?.reload();
      expect(await serial(port, 'two')).not.toBe(before);
      const written = readFileSync(at('gateway.yml'), 'utf8');
      writeFileSync(at('gateway.yml'), written.replace(at('two.key'), at('none.key')));
      await expect(running?.reload()).rejects.toThrow('none.key');
      expect(await ask(port, 'two')).toMatchObject({ shown: 'two', status: 200 });
      writeFileSync(at('gateway.yml'), written.replace('address: 127.0.0.1', 'address: 127.0.0.2'));
      await expect(running?.reload()).rejects.toThrow('change only with a restart');
    });

    const at = (name: string): string => path.join(directory, name);

    function openssl(...args: string[]): void {
      const done = spawnSync('openssl', args, { cwd: directory, encoding: 'utf8' });
      if (done.status !== 0) throw new Error(done.stderr);
    }

    function authority(name: string): void {
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
      const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
      openssl('req', '-x509', ...key, ...files, '-days', '2', '-subj', `/CN=${name}`);
    }

    function certificate(name: string, ca: string): void {
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
      openssl(
        'req',
        ...key,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
      );
      const by = ['-CA', `${ca}.crt`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', '2'];
      openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.crt`);
    }

    function config({ two = '' }: { readonly two?: string }): (port: number) => string {
      const files = (name: string, more = ''): string =>
        `{cert_file: ${at(`${name}.crt`)}, key_file: ${at(`${name}.key`)}${more.replace('ca.crt', at('ca.crt'))}}`;
      const { port: memberPort } = member.address() as AddressInfo;
      return (port) => `
groups: [{name: web, kind: http, members: [{name: w, url: 'http://127.0.0.1:${memberPort}'}]}]
listeners:
  - address: 127.0.0.1:${port}
    tls: ${files('one')}
hosts:
  - server_names: [one]
    locations: [{path: /, group: web}]
  - server_names: [two]
    tls: ${files('two', two)}
    locations: [{path: /, group: web}]
`;
    }

    async function start(text: (port: number) => string): Promise<number> {
      const port = await freePort();
      writeFileSync(at('gateway.yml'), text(port));
      const { values, given } = parseFlags(role.flags, [
        `--config.file=${at('gateway.yml')}`,
        '--web.listen-address=127.0.0.1:0',
      ]);
      const context = {
        env: nodeEnv(),
        log: Log.silent(),
        registry: new Registry(),
        lock: () => () => {},
        variables: {},
        hostname: 'test',
      };
      running = await role.start(context, values, given);
      return port;
    }

    function connect(
      port: number,
      servername: string,
      client?: string,
      host = servername,
    ): Promise<{ readonly socket: TLSSocket; readonly response: http.IncomingMessage }> {
      const identity =
        client === undefined
          ? {}
          : { cert: readFileSync(at(`${client}.crt`)), key: readFileSync(at(`${client}.key`)) };
      return new Promise((resolve, reject) => {
        const options = { port, host: '127.0.0.1', servername, headers: { host }, agent: false };
        const request = https.get(
          { ...options, rejectUnauthorized: false, ...identity },
          (response) => resolve({ socket: response.socket as TLSSocket, response }),
        );
        request.on('error', reject);
      });
    }

    async function ask(port: number, name: string, client?: string, host = name): Promise<unknown> {
      const { socket, response } = await connect(port, name, client, host);
      const shown = socket.getPeerCertificate().subject.CN;
      let body = '';
      for await (const part of response) body += String(part);
      return { shown, status: response.statusCode, body };
    }

    async function serial(port: number, name: string): Promise<string> {
      const { socket, response } = await connect(port, name);
      const { serialNumber } = socket.getPeerCertificate();
      response.resume();
      return serialNumber;
    }
  },
);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
