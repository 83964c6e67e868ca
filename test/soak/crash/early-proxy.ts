import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How long it holds what it has already acknowledged. */
const HELD_MS = 150;

/**
 * A canary: acknowledges a write at once and forwards it a moment later. A server behind it looks like one that acknowledges
 * before it writes, so killing it must be seen to lose samples.
 */
export class EarlyProxy {
  readonly #server: Server;
  #target = '';

  constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        response.writeHead(204).end();
        const { 'content-type': type = '', 'content-encoding': encoding = '' } = request.headers;
        const headers = { 'content-type': type, 'content-encoding': String(encoding) };
        const body = new Uint8Array(Buffer.concat(parts));
        // Whether it arrives is exactly what is in question.
        const forward = (): void =>
          void fetch(this.#target, { method: 'POST', body, headers }).catch(() => {});
        setTimeout(forward, HELD_MS);
      });
    });
  }

  /** Returns the address to write to. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  forwardTo(url: string): void {
    this.#target = url;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
