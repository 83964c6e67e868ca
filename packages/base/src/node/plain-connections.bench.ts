/**
 * What a request costs that is read here, and one that node:http reads, over one connection, client and server in one thread:
 * `node --conditions=@pollux/source --import tsx packages/base/src/node/plain-connections.bench.ts [REQUESTS]`.
 */
import * as net from 'node:net';
import { serveHttp } from './http-server.ts';

const requests = Number(process.argv[2] ?? 20_000);
const body = `{"status":"success","data":["__name__","instance","job","mode","cpu"]}`;
const options = { at: { host: '127.0.0.1', port: 0 }, maxConnections: 8, readTimeoutMs: 10_000 };
const headers = { 'content-type': 'application/json' };
const listener = await serveHttp(options, async (request) => {
  await request.body(100_000);
  return { status: 200, headers, body };
});
const target = '/api/v1/labels?start=1700000000&end=1700003600';
const sent = 'x'.repeat(40_000);

/** Microseconds of processor time a request. */
function ask(method: 'GET' | 'POST', more: string, count: number): Promise<number> {
  const head = `${method} ${target} HTTP/1.1\r\nHost: a\r\n${more}`;
  const request =
    method === 'GET' ? `${head}\r\n` : `${head}Content-Length: ${sent.length}\r\n\r\n${sent}`;
  return new Promise((resolve) => {
    let left = count;
    const socket = net.connect(listener.address.port, '127.0.0.1', () => socket.write(request));
    const before = process.cpuUsage();
    socket.on('data', () => {
      if (--left > 0) {
        socket.write(request);
        return;
      }
      const { user, system } = process.cpuUsage(before);
      socket.destroy();
      resolve((user + system) / count);
    });
  });
}

for (let round = 0; round < 4; round++) {
  for (const method of ['GET', 'POST'] as const) {
    const plain = await ask(method, '', requests);
    // Asks for no more than the others, but is not known here.
    const byNode = await ask(method, 'Trailer: none\r\n', requests);
    process.stdout.write(
      `${method}: plain ${plain.toFixed(1)} µs, node:http ${byNode.toFixed(1)} µs a request\n`,
    );
  }
}
await listener.close();
