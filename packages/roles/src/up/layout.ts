import { createServer } from 'node:net';
import { OperatingError } from '@pollux/base';

export const HOSTS = ['A', 'B'] as const;
export type HostName = (typeof HOSTS)[number];

/** Ports as the originals have them; `once` runs on host A's address only. */
const PAIRED = {
  server: 9090,
  alertmanager: 9093,
  gossip: 9094,
  'node-exporter': 9100,
  store: 8086,
} as const;
const ONCE = { gateway: 9099, sink: 8060 } as const;
export type PairedPart = keyof typeof PAIRED;
export type SinglePart = keyof typeof ONCE;

/** Where each part listens. */
export type Layout = {
  readonly addresses: Readonly<Record<HostName, string>>;
  readonly paired: Readonly<Record<PairedPart, Readonly<Record<HostName, number>>>>;
  readonly once: Readonly<Record<SinglePart, number>>;
  /** What had to differ from the usual ports, as sentences. */
  readonly notes: readonly string[];
};

/** Example files name the parts by these addresses; rendering replaces them by the layout's. */
export function exampleAddress(part: PairedPart | SinglePart, host: HostName): string {
  const port = part in PAIRED ? PAIRED[part as PairedPart] : ONCE[part as SinglePart];
  return `${host === 'A' ? '127.0.0.1' : '127.0.0.2'}:${port}`;
}

/**
 * Finds a port for every part. With `anyPort` all are free ones (drills run beside a real pair); else the usual ports, and
 * a free one where the usual is busy. Where 127.0.0.2 cannot be bound, B shares A's address.
 */
export async function findLayout(anyPort: boolean): Promise<Layout> {
  const notes: string[] = [];
  const hasSecond = await canBind('127.0.0.2', 0);
  if (!hasSecond)
    notes.push('127.0.0.2 cannot be bound here: host B uses 127.0.0.1 with other ports');
  const addresses = { A: '127.0.0.1', B: hasSecond ? '127.0.0.2' : '127.0.0.1' } as const;
  const taken = new Set<string>();
  const choose = async (what: string, address: string, usual: number): Promise<number> => {
    if (!anyPort && !taken.has(`${address}:${usual}`) && (await canBind(address, usual))) {
      taken.add(`${address}:${usual}`);
      return usual;
    }
    for (let attempt = 0; attempt < 50; attempt++) {
      const port = await freePort(address);
      if (taken.has(`${address}:${port}`)) continue;
      taken.add(`${address}:${port}`);
      if (!anyPort) notes.push(`${what}: ${address}:${usual} is in use, ${port} is taken instead`);
      return port;
    }
    throw new OperatingError('ROLES.NO_PORT', `no free port on ${address}`);
  };
  const paired: Record<string, Record<HostName, number>> = {};
  for (const [part, usual] of Object.entries(PAIRED)) {
    paired[part] = {
      A: await choose(`${part} A`, addresses.A, usual),
      B: await choose(`${part} B`, addresses.B, usual),
    };
  }
  const once: Record<string, number> = {};
  for (const [part, usual] of Object.entries(ONCE))
    once[part] = await choose(part, addresses.A, usual);
  return { addresses, paired: paired as Layout['paired'], once: once as Layout['once'], notes };
}

/** `127.0.0.1:9090` of a part as it runs. */
export function addressOf(
  layout: Layout,
  part: PairedPart | SinglePart,
  host: HostName = 'A',
): string {
  const port =
    part in PAIRED ? layout.paired[part as PairedPart][host] : layout.once[part as SinglePart];
  return `${layout.addresses[host]}:${port}`;
}

function canBind(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}

function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, address, () => {
      const bound = server.address();
      server.close(() =>
        typeof bound === 'object' && bound !== null
          ? resolve(bound.port)
          : reject(new OperatingError('ROLES.NO_PORT', `no port on ${address}`)),
      );
    });
  });
}
