import { type AddressInfo, createServer } from 'node:net';
import { HOSTS, type HostName, type Layout } from '@pollux/roles/up';

/** Finds ports of a host that neither the layout nor an earlier call has, free at `addresses`. */
export function freePortOf(
  layout: Layout,
  addresses: Layout['addresses'],
): (host: HostName) => Promise<number> {
  const taken = new Set<number>(Object.values(layout.once));
  for (const ports of Object.values(layout.paired))
    for (const host of HOSTS) taken.add(ports[host]);
  return async (host) => {
    for (;;) {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, addresses[host], resolve));
      const { port } = server.address() as AddressInfo;
      await new Promise((resolve) => server.close(resolve));
      if (taken.has(port)) continue;
      taken.add(port);
      return port;
    }
  };
}
