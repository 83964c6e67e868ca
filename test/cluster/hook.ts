import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Delivered = {
  /** As `performance.now()`. */
  readonly atMs: number;
  readonly status: 'firing' | 'resolved';
  /** Values of the label `id`. */
  readonly ids: readonly string[];
  /** `name` of the query: who sent it. */
  readonly from: string;
};

type Body = {
  readonly alerts: readonly {
    readonly status: 'firing' | 'resolved';
    readonly labels: Readonly<Record<string, string>>;
  }[];
};

/** A webhook that takes everything and remembers who sent which alerts, told by their label `id`. */
export class Hook {
  readonly delivered: Delivered[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const atMs = performance.now();
        const from = new URL(request.url ?? '/', 'http://hook').searchParams.get('name') ?? '';
        const { alerts } = JSON.parse(Buffer.concat(chunks).toString()) as Body;
        for (const status of ['firing', 'resolved'] as const) {
          const ids = alerts.filter((alert) => alert.status === status);
          if (ids.length === 0) continue;
          this.delivered.push({
            atMs,
            status,
            from,
            ids: ids.map(({ labels }) => labels.id ?? ''),
          });
        }
        response.end();
      });
    });
  }

  /** Starts to listen; gives the address for a member's configuration. */
  async start(address = '127.0.0.1'): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, address, resolve));
    return `http://${address}:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Deliveries with a status that told of an alert. */
  of(id: string, status: 'firing' | 'resolved' = 'firing'): readonly Delivered[] {
    return this.delivered.filter((one) => one.status === status && one.ids.includes(id));
  }
}

/** A configuration with every alert in a group of its own, sent to the hook under a member's name. */
export function hookConfig(
  url: string,
  name: string,
  { groupWait = '1s', groupInterval = '5m', sendResolved = false } = {},
): string {
  return `
route: {receiver: hook, group_by: [id], group_wait: ${groupWait}, group_interval: ${groupInterval}, repeat_interval: 4h}
receivers: [{name: hook, webhook_configs: [{url: '${url}/?name=${name}', send_resolved: ${sendResolved}}]}]
`;
}
