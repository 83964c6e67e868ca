import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { NodeNet } from './index.ts';

const testdata = (name: string): string =>
  readFileSync(new URL(`../../testdata/${name}`, import.meta.url), 'utf8');
/** Self-signed for localhost and 127.0.0.1; made for these tests. */
const CERTIFICATE = testdata('localhost.crt');
const KEY = testdata('localhost.key');

const client = new NodeNet();
const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

function listen(server: net.Server): Promise<number> {
  open.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
  });
}

/** Answers "TLS" to a line by going on with TLS, as mail servers do, and then echoes. */
function upgrading(): Promise<number> {
  return listen(
    net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write('go\n');
        const secured = new tls.TLSSocket(socket, { isServer: true, cert: CERTIFICATE, key: KEY });
        secured.on('error', () => {});
        secured.on('data', (data) => secured.write(data));
      });
    }),
  );
}

async function upgraded(options: Parameters<typeof tlsOf>[1]) {
  const connection = await client.connectTcp(
    { host: '127.0.0.1', port: await upgrading() },
    { timeoutMs: 2_000 },
  );
  await connection.write(Buffer.from('TLS\n'));
  await connection.read(2_000);
  return tlsOf(connection, options);
}

function tlsOf(
  connection: Awaited<ReturnType<NodeNet['connectTcp']>>,
  options: {
    readonly ca?: string;
    readonly serverName?: string;
    readonly insecureSkipVerify?: boolean;
  },
) {
  if (connection.startTls === undefined) throw new Error('no TLS');
  return connection.startTls(options, 2_000);
}

describe('a connection that goes on with TLS', () => {
  it('carries what is written when the certificate is that of the host', async () => {
    const secured = await upgraded({ ca: CERTIFICATE, serverName: 'localhost' });
    await secured.write(Buffer.from('hello'));
    expect(Buffer.from((await secured.read(2_000)) ?? []).toString()).toBe('hello');
    secured.close();
  });

  it('takes an address for a name', async () => {
    (await upgraded({ ca: CERTIFICATE, serverName: '127.0.0.1' })).close();
  });

  it.each([
    ['an unknown issuer', { serverName: 'localhost' }],
    ['another name', { ca: CERTIFICATE, serverName: 'other.example' }],
    ['another address', { ca: CERTIFICATE, serverName: '127.0.0.2' }],
  ])('is refused for %s, unless nothing is verified', async (_, options) => {
    await expect(upgraded(options)).rejects.toThrow('TLS with 127.0.0.1');
    (await upgraded({ ...options, insecureSkipVerify: true })).close();
  });

  it('fails in time with a peer that speaks no TLS', async () => {
    const port = await listen(net.createServer((socket) => socket.on('error', () => {})));
    const connection = await client.connectTcp({ host: '127.0.0.1', port }, { timeoutMs: 1_000 });
    const start = connection.startTls?.bind(connection);
    await expect(start?.({ serverName: 'localhost' }, 100)).rejects.toThrow('TLS with');
  });
});

describe('requests through a proxy', () => {
  /** Forwards nothing: it answers itself and tells what it was asked; tunnels go where they want. */
  async function proxy() {
    const asked: string[] = [];
    const server = http.createServer((request, response) => {
      asked.push(
        `${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`,
      );
      response.end('by proxy');
    });
    server.on('connect', (request, socket: net.Socket) => {
      asked.push(`CONNECT ${request.headers['x-team'] ?? ''}`);
      const { port } = new URL(`http://${request.url}`);
      const far = net.connect(Number(port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        far.pipe(socket).pipe(far);
      });
      far.on('error', () => socket.destroy());
      socket.on('error', () => far.destroy());
    });
    return { asked, port: await listen(server) };
  }

  const request = (url: string, proxyUrl: string) =>
    client.request({
      method: 'POST',
      url,
      body: 'b',
      timeoutMs: 2_000,
      proxy: { url: proxyUrl, connectHeaders: { 'x-team': 'db' } },
      tls: { ca: CERTIFICATE },
    });

  it('are forwarded in the clear, with the credentials of its address', async () => {
    const { asked, port } = await proxy();
    const answer = await request('http://far.example/path', `http://u:p%40@127.0.0.1:${port}`);
    expect(Buffer.from(answer.body).toString()).toBe('by proxy');
    const pair = Buffer.from('u:p@').toString('base64');
    expect(asked).toEqual([`POST http://far.example/path Basic ${pair}`]);
  });

  it.each(['socks5', 'socks5h'])(
    'go through one of SOCKS too, with the credentials of its address: %s',
    async (scheme) => {
      const asked: string[] = [];
      const far = await listen(
        http.createServer((request, response) => response.end(`far ${request.url}`)),
      );
      // RFC 1928 and 1929: offers of methods, user and password, the address, then what goes through.
      const port = await listen(
        net.createServer((socket) => {
          socket.on('error', () => {});
          socket.once('data', (offer) => {
            asked.push(`offers ${[...offer.subarray(2)].join()}`);
            socket.write(Uint8Array.of(5, 2));
            socket.once('data', (login) => {
              asked.push(login.toString('latin1', 2, 3) + login.toString('latin1', 4));
              socket.write(Uint8Array.of(1, 0));
              socket.once('data', (address) => {
                asked.push(address.toString('latin1', 5, address.length - 2));
                const through = net.connect(far, '127.0.0.1', () => {
                  socket.write(Uint8Array.of(5, 0, 0, 1, 127, 0, 0, 1, 0, 0));
                  through.pipe(socket).pipe(through);
                });
                through.on('error', () => socket.destroy());
              });
            });
          });
        }),
      );
      const answer = await request(
        'http://far.example/path',
        `${scheme}://u:p%40@127.0.0.1:${port}`,
      );
      expect(Buffer.from(answer.body).toString()).toBe('far /path');
      expect(asked[0]).toContain('2');
      expect(asked.slice(1)).toEqual(['up@', 'far.example']);
    },
  );

  it('over TLS are tunnelled, and headers for CONNECT go there only', async () => {
    const { asked, port } = await proxy();
    const far = await listen(
      tls.createServer({ cert: CERTIFICATE, key: KEY }, (socket) => {
        socket.on('error', () => {});
        socket.once('data', (data) => {
          const isClean = !data.toString().includes('x-team');
          socket.end(
            `HTTP/1.1 200 OK\r\ncontent-length: ${String(isClean).length}\r\nconnection: close\r\n\r\n${isClean}`,
          );
        });
      }) as unknown as net.Server,
    );
    const answer = await request(`https://localhost:${far}/`, `http://127.0.0.1:${port}`);
    expect(Buffer.from(answer.body).toString().trim()).toBe('true');
    expect(asked).toEqual(['CONNECT db']);
  });

  it('fail when it is away', async () => {
    await expect(request('http://far.example/', 'http://127.0.0.1:1')).rejects.toThrow(
      'POST http://far.example',
    );
  });
});
