import { readFileSync } from 'node:fs';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { SeededRandom } from '@pollux/base';
import { NodeClock, NodeFiles, NodeNet, NodeWorkers } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../../config/config.ts';
import { NotificationTemplates } from '../../../template/templates.ts';
import { sampleAlert, sampleNotification } from '../../../testing/sample-notification.ts';
import { Robots } from '../robots/robots.ts';
import { email } from './email.ts';

const certificateFile = new URL('../../../../../base/testdata/localhost.crt', import.meta.url);
const CERTIFICATE = readFileSync(certificateFile, 'utf8');
const KEY = readFileSync(new URL('localhost.key', certificateFile), 'utf8');

const open: net.Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

/** Speaks enough SMTP for one mail; after STARTTLS everything is said again inside. */
function mailServer(kind: 'implicit' | 'starttls') {
  const clear: string[] = [];
  const secret: string[] = [];
  const converse = (socket: net.Socket, heard: string[], hasTls: boolean): void => {
    let isData = false;
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const line of bytes.toString().split('\r\n').slice(0, -1)) {
        if (isData && line !== '.') continue;
        if (!isData) heard.push(line);
        if (line === '.') isData = false;
        if (line === 'DATA') isData = true;
        if (line === 'STARTTLS') {
          socket.removeAllListeners('data');
          // Lines that came before the session must not be taken for answers inside it.
          socket.write('220 go\r\n250 injected\r\n');
          const inside = new tls.TLSSocket(socket, { isServer: true, cert: CERTIFICATE, key: KEY });
          converse(inside, secret, true);
          return;
        }
        const hello = hasTls ? '250-hi\r\n250 AUTH PLAIN\r\n' : '250-hi\r\n250 STARTTLS\r\n';
        if (line.startsWith('EHLO')) socket.write(hello);
        else if (line.startsWith('AUTH')) socket.write('235 ok\r\n');
        else if (line === 'DATA') socket.write('354 go\r\n');
        else if (line === 'QUIT') socket.end('221 bye\r\n');
        else socket.write('250 ok\r\n');
      }
    });
  };
  const server =
    kind === 'implicit'
      ? tls.createServer({ cert: CERTIFICATE, key: KEY }, (socket) => {
          socket.write('220 hi\r\n');
          converse(socket, secret, true);
        })
      : net.createServer((socket) => {
          socket.write('220 hi\r\n');
          converse(socket, clear, false);
        });
  server.on('tlsClientError', () => {});
  open.push(server);
  return new Promise<{ port: number; clear: string[]; secret: string[] }>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ port: (server.address() as net.AddressInfo).port, clear, secret });
    });
  });
}

async function send(port: number, settings: string): Promise<void> {
  const config = readConfig(
    `
route: {receiver: r}
receivers: [{name: r, email_configs: [{to: 'a@x.org', from: 'b@x.org', smarthost: 'localhost:${port}', html: '', text: t, headers: {Subject: S}, auth_username: u, auth_password: hidden-pw, ${settings}}]}]
`,
    { file: 'am.yml' },
  );
  const [integration] = config.receivers[0]!.integrations;
  if (integration?.kind !== 'email') throw new Error('no mail');
  const clock = new NodeClock();
  const random = new SeededRandom(1);
  const env = {
    clock,
    random,
    files: new NodeFiles(),
    net: new NodeNet(),
    workers: new NodeWorkers(),
  };
  const sender = email(integration, {
    env,
    log: Log.silent(),
    registry: new Registry(),
    variables: {},
    hostname: 'host.example',
    receiver: { groupName: 'r', integration: 'email', index: 0 },
    templates: NotificationTemplates.load(env, [], '.'),
    resolvePath: (name) => name,
    userAgent: 'x',
    robots: new Robots(clock, random),
  });
  const notification = sampleNotification([sampleAlert({ alertname: 'Down' })]);
  await sender.send(notification, new AbortController().signal, new Map());
}

const TRUSTED = `tls_config: {ca_file: '${certificateFile.pathname}'}`;
const WHOLE = ['EHLO localhost', expect.stringMatching(/^AUTH PLAIN /), 'MAIL FROM:<b@x.org>'];

describe('a mail over TLS', () => {
  it('begins in the clear and says nothing but STARTTLS there', async () => {
    const server = await mailServer('starttls');
    await send(server.port, TRUSTED);
    expect(server.clear).toEqual(['EHLO localhost', 'STARTTLS']);
    expect(server.secret.slice(0, 3)).toEqual(WHOLE);
    expect(server.secret.at(-1)).toBe('QUIT');
  });

  it('is TLS from the first byte where the port or the file says so', async () => {
    const server = await mailServer('implicit');
    await send(server.port, `${TRUSTED}, force_implicit_tls: true`);
    expect(server.secret.slice(0, 3)).toEqual(WHOLE);
  });

  it.each(['implicit', 'starttls'] as const)(
    'gives no password to a server whose certificate is not trusted (%s)',
    async (kind) => {
      const server = await mailServer(kind);
      const settings = `force_implicit_tls: ${kind === 'implicit'}`;
      await expect(send(server.port, settings)).rejects.toMatchObject({
        retry: true,
        message: expect.stringMatching(/self-signed certificate/),
      });
      expect([...server.clear, ...server.secret].join()).not.toContain('AUTH');
      await send(server.port, `${settings}, tls_config: {insecure_skip_verify: true}`);
    },
  );
});
