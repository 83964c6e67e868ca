import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from './running-role.ts';

/** A store that remembers the lines it took, and can be away. */
class StoreDouble {
  readonly taken: string[] = [];
  readonly port: number;
  isAway = false;
  readonly #server: http.Server;

  private constructor(server: http.Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (part) => {
        body += String(part);
      });
      request.on('end', () => {
        if (this.isAway) {
          request.socket.destroy();
          return;
        }
        if (request.method === 'POST') this.taken.push(...body.split('\n').filter(Boolean));
        response.writeHead(204).end();
      });
    });
  }

  static async start(): Promise<StoreDouble> {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new StoreDouble(server);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const ROUNDS = 6;
const SENDERS = 8;

let scratch: Scratch;
let stores: readonly StoreDouble[];

beforeAll(async () => {
  scratch = new Scratch();
  stores = [await StoreDouble.start(), await StoreDouble.start()];
});
afterAll(() => {
  for (const store of stores) store.stop();
  scratch.remove();
});

it('loses nothing that it answered with success, whenever it is killed and whoever is away', async () => {
  const [a, b] = stores;
  if (a === undefined || b === undefined) throw new Error('two stores');
  const members = stores.map(({ port }, i) => `{name: s${i}, url: 'http://127.0.0.1:${port}'}`);
  const file = scratch.file(
    'gateway.yml',
    `groups: [{name: stores, kind: store, members: [${members.join(', ')}]}]\nhealth_interval: 200ms\n`,
  );
  const args = [
    'gateway',
    `--config.file=${file}`,
    `--storage.path=${scratch.at('data')}`,
    '--web.listen-address=127.0.0.1:0',
  ];
  /** In the order of the answers of each sender. */
  const acknowledged: string[][] = Array.from({ length: SENDERS }, () => []);
  for (let round = 0; round < ROUNDS; round++) {
    const gateway = await RunningRole.start(args);
    let isOver = false;
    const senders = acknowledged.map(async (own, sender) => {
      for (let number = 0; !isOver; number++) {
        const line = `m,sender=${sender} round=${round}i,number=${number}i ${number}`;
        // The kill cuts what is under way: nobody was told of that.
        const answer = await gateway.post('/write?db=x', line).catch(() => null);
        if (answer?.status === 204) own.push(line);
      }
    });
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    await pause(150);
    b.isAway = true;
    await pause(150);
    // In every other round nobody is there: the spools alone have what was acknowledged.
    a.isAway = round % 2 === 1;
    await pause(50 + 60 * round);
    await gateway.end('SIGKILL');
    isOver = true;
    await Promise.all(senders);
    a.isAway = false;
    b.isAway = false;
  }
  const gateway = await RunningRole.start(args);
  for (const [index, store] of stores.entries()) {
    await eventually(`store ${index} has all`, 30_000, async () => {
      const taken = new Set(store.taken);
      return acknowledged.flat().every((line) => taken.has(line)) ? true : null;
    });
    for (const own of acknowledged) {
      const firsts = [...new Set(store.taken)];
      const places = own.map((line) => firsts.indexOf(line));
      expect(places).toEqual([...places].sort((x, y) => x - y));
    }
  }
  expect(acknowledged.flat().length).toBeGreaterThan(ROUNDS * SENDERS);
  await eventually('empty spools', 10_000, async () => {
    const { text } = await gateway.get('/metrics');
    return /pollux_gateway_spool_bytes\{member="s1"\} 0\n/.test(text) ? true : null;
  });
  await gateway.end();
}, 120_000);
