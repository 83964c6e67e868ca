import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SeededRandom } from '@pollux/base';
import { Generator } from './generator.ts';
import type { Served } from './ledger-book.ts';

/** Every so many scrapes one is answered with an error: all series of the target go stale and come back. */
const FAILURE_EVERY = 97;

export type JobName = 'scheduled' | 'timed';

/** A scrape target with two expositions, `/scheduled` and `/timed`, that remembers every answer it gave. */
export class Target {
  readonly served: Readonly<Record<JobName, Served[]>> = { scheduled: [], timed: [] };
  readonly #generators: Readonly<Record<JobName, Generator>>;
  readonly #server: Server;
  #address = '';

  constructor(seed: number) {
    this.#generators = {
      scheduled: new Generator(new SeededRandom(seed), false),
      timed: new Generator(new SeededRandom(seed + 1), true),
    };
    this.#server = createServer((request, response) => {
      const job = (request.url ?? '').slice(1);
      if (job !== 'scheduled' && job !== 'timed') {
        response.writeHead(404).end();
        return;
      }
      const receivedMs = Date.now();
      const list = this.served[job];
      if (list.length % FAILURE_EVERY === FAILURE_EVERY - 1) {
        list.push({ receivedMs, exposition: null });
        response.writeHead(503).end();
        return;
      }
      const exposition = this.#generators[job].expose(receivedMs);
      list.push({ receivedMs, exposition });
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      response.end(exposition.text);
    });
  }

  /** `host:port`, once started. */
  get address(): string {
    return this.#address;
  }

  /** Scrapes answered so far, of both jobs. */
  get answers(): number {
    return this.served.scheduled.length + this.served.timed.length;
  }

  get seriesCount(): number {
    return this.#generators.scheduled.seriesCount + this.#generators.timed.seriesCount;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#address = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
