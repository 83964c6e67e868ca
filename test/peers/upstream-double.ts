import * as http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What a double does with a request. `reset`: closes the connection; `hang`: never answers; a number: answers with this status. */
export type Behaviour = 'good' | 'reset' | 'hang' | number;

/** A server behind a balancer: says its name, notes what it was asked, and can be broken. */
export class UpstreamDouble {
  readonly name: string;
  readonly seen: http.IncomingMessage[] = [];
  behaviour: Behaviour = 'good';
  /** Before a good answer, ms. */
  delayMs = 0;
  /** Answers instead of the name, when set. */
  answer: ((request: http.IncomingMessage, response: http.ServerResponse) => void) | null = null;
  readonly #server: http.Server;
  readonly #log: string[];

  private constructor(name: string, log: string[]) {
    this.name = name;
    this.#log = log;
    this.#server = http.createServer((request, response) => this.#take(request, response));
    this.#server.on('upgrade', (request, socket) => {
      this.seen.push(request);
      // An echo in what might be any protocol.
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
      );
      (socket as Socket).pipe(socket);
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  /** `log` gets the name for each request, in their order over all doubles. */
  static async start(name: string, log: string[] = []): Promise<UpstreamDouble> {
    const double = new UpstreamDouble(name, log);
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve));
    return double;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.seen.push(request);
    this.#log.push(this.name);
    if (this.behaviour === 'reset') request.socket.destroy();
    else if (this.behaviour === 'hang') return;
    else if (typeof this.behaviour === 'number') {
      response.writeHead(this.behaviour).end(`${this.name} ${this.behaviour}`);
    } else if (this.answer !== null) this.answer(request, response);
    else setTimeout(() => response.end(this.name), this.delayMs);
  }
}
