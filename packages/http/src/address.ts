import { type Address, InputError } from '@pollux/base';

/** Reads `host:port`, `:port`, `[v6]:port`. An empty host listens on every address (`0.0.0.0`). */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new InputError(
      'HTTP.BAD_ADDRESS',
      '',
      `"${text}" is no address; write host:port, as 127.0.0.1:9090`,
    );
  }
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? '0.0.0.0' : host, port };
}

export function formatAddress(address: Address): string {
  return address.host.includes(':')
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}
