import {
  type Address,
  OperatingError,
  type TcpConnection,
  TimeoutError,
  type Timer,
} from '@pollux/base';
import type { Wires } from './link.ts';

/** How often a stream tries again while its link is cut. */
const RETRY_MS = 200;

/** Undelivered bytes after which `write` waits, as a full socket buffer does. */
const MAX_UNSENT_BYTES = 1024 * 1024;

type Chunk = Uint8Array | null;

/** One end of a simulated TCP connection. */
export class SimConnection implements TcpConnection {
  readonly remote: Address;
  readonly #network: Wires;
  readonly #localIp: string;
  #other: SimConnection | null = null;
  readonly #inbox: Chunk[] = [];
  readonly #outbox: Chunk[] = [];
  #unsentBytes = 0;
  #isPumping = false;
  #isClosed = false;
  #broken: OperatingError | null = null;
  #onInput: (() => void) | null = null;
  readonly #onDrained: (() => void)[] = [];

  constructor(network: Wires, localIp: string, remote: Address) {
    this.#network = network;
    this.#localIp = localIp;
    this.remote = remote;
  }

  /** The two ends of a connection. */
  static pair(network: Wires, client: Address, server: Address): [SimConnection, SimConnection] {
    const near = new SimConnection(network, client.host, server);
    const far = new SimConnection(network, server.host, client);
    near.#other = far;
    far.#other = near;
    return [near, far];
  }

  async write(data: Uint8Array): Promise<void> {
    if (this.#broken !== null) throw this.#broken;
    if (this.#isClosed) throw brokenPipe();
    this.#outbox.push(data.slice());
    this.#unsentBytes += data.length;
    this.#pump();
    while (this.#unsentBytes > MAX_UNSENT_BYTES && this.#broken === null) {
      await new Promise<void>((resolve) => this.#onDrained.push(resolve));
    }
    if (this.#broken !== null) throw this.#broken;
  }

  async read(timeoutMs: number): Promise<Uint8Array | null> {
    const { clock } = this.#network;
    const endMs = clock.monotonic() + timeoutMs;
    for (;;) {
      const [next] = this.#inbox;
      if (next === null) return null;
      if (next !== undefined) {
        this.#inbox.shift();
        return next;
      }
      if (this.#broken !== null) throw this.#broken;
      if (this.#isClosed) return null;
      const leftMs = endMs - clock.monotonic();
      if (leftMs <= 0) throw new TimeoutError('read: no bytes in time');
      await this.#input(leftMs);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outbox.push(null);
    this.#pump();
    this.#onInput?.();
  }

  /** The end of the host: this side is gone at once, the other finds out when it can. */
  break(): void {
    this.fail();
    const { clock } = this.#network;
    const other = this.#other;
    clock.after(this.#delayMs(), () => other?.fail());
  }

  /** Every wait on this end fails from now on. */
  fail(): void {
    this.#broken ??= new OperatingError('BASE.CONNECTION', 'connection reset by peer');
    this.#outbox.length = 0;
    this.#onInput?.();
    for (const resolve of this.#onDrained.splice(0)) resolve();
  }

  #input(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer = this.#network.clock.after(timeoutMs, () => done());
      const done = (): void => {
        timer.cancel();
        this.#onInput = null;
        resolve();
      };
      this.#onInput = done;
    });
  }

  /** Hands chunks over one by one, in order, each after the link's delay; waits while the link is cut. */
  #pump(): void {
    if (this.#isPumping || this.#outbox.length === 0 || this.#other === null) return;
    this.#isPumping = true;
    const isCut = this.#network.link(this.#localIp, this.remote.host).isCut;
    const waitMs = Math.max(this.#delayMs(), this.#network.stalledMs(this.remote.host));
    this.#network.clock.after(isCut ? RETRY_MS : waitMs, () => {
      this.#isPumping = false;
      const stillCut = this.#network.link(this.#localIp, this.remote.host).isCut;
      const isStalled = this.#network.stalledMs(this.remote.host) > 0;
      if (!isCut && !stillCut && !isStalled) this.#deliver();
      this.#pump();
    });
  }

  /** Chunks from the other end; null is its end of stream. */
  receive(chunks: readonly Chunk[]): void {
    this.#inbox.push(...chunks);
    this.#onInput?.();
  }

  #deliver(): void {
    const chunks = this.#outbox.splice(0);
    this.#unsentBytes = 0;
    for (const resolve of this.#onDrained.splice(0)) resolve();
    this.#other?.receive(chunks);
  }

  #delayMs(): number {
    return this.#network.delayMs(this.#localIp, this.remote.host);
  }
}

function brokenPipe(): OperatingError {
  return new OperatingError('BASE.CONNECTION', 'write after close');
}
