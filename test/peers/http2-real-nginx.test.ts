import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NodeNet } from '@pollux/base/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Scratch } from '../system/running-role.ts';
import { freePort, hasNginx, NO_NGINX, type RunningNginx, startNginx } from './real-nginx.ts';

const testdata = new URL('../../packages/base/testdata/', import.meta.url).pathname;
const ca = readFileSync(`${testdata}localhost.crt`, 'utf8');
const REQUESTS = 100;

/** nginx ends an HTTP/2 connection with a GOAWAY while its last requests are under way. */
describe.skipIf(!hasNginx)(`HTTP/2 to a real nginx${NO_NGINX}`, () => {
  const scratch = new Scratch();
  const net = new NodeNet();
  let backend: Server;
  let nginx: RunningNginx;
  let url = '';
  let seen = 0;

  beforeAll(async () => {
    backend = createServer((request, response) => {
      seen++;
      request.resume();
      setTimeout(() => response.end('ok'), 3);
    });
    await new Promise<void>((resolve) => {
      backend.listen(0, '127.0.0.1', resolve);
    });
    const { port } = backend.address() as AddressInfo;
    const secured = await freePort();
    url = `https://localhost:${secured}/`;
    nginx = await startNginx(
      scratch,
      'nginx',
      (plain) => `
      server { listen 127.0.0.1:${plain}; }
      server {
        listen 127.0.0.1:${secured} ssl http2; keepalive_requests 7;
        ssl_certificate ${testdata}localhost.crt; ssl_certificate_key ${testdata}localhost.key;
        location / { proxy_pass http://127.0.0.1:${port}; add_header x-protocol $server_protocol; }
      }`,
    );
  });

  afterAll(async () => {
    await net.close();
    await nginx?.stop();
    backend?.close();
    scratch.remove();
  });

  it.each([
    ['GET', 1],
    ['GET', 5],
    ['POST', 1],
    ['POST', 5],
  ])('%s, %i at a time: all are answered, and none is sent twice', async (method, lanes) => {
    seen = 0;
    const protocols = new Set<string | undefined>();
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        for (let i = 0; i < REQUESTS / lanes; i++) {
          const { status, headers } = await net.request({
            method,
            url,
            ...(method === 'POST' ? { body: 'x' } : {}),
            timeoutMs: 5_000,
            tls: { ca },
            http2: true,
          });
          expect(status).toBe(200);
          protocols.add(headers['x-protocol']);
        }
      }),
    );
    expect([...protocols]).toEqual(['HTTP/2.0']);
    expect(seen).toBe(REQUESTS);
  });
});
