import { InputError } from '@pollux/base';

/** An address of this machine as `os.networkInterfaces` gives it. */
export type InterfaceAddress = {
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly internal: boolean;
};

/** RFC 1918 and RFC 6598 (carriers' networks), which memberlist counts as private too. */
const PRIVATE_IPV4 =
  /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/;
/** Unique local addresses, fc00::/7. */
const PRIVATE_IPV6 = /^f[cd]/i;
/** Reaches no further than the link, and would need a zone. */
const LINK_LOCAL = /^(?:fe[89ab]|169\.254\.)/i;

/**
 * What peers are told when this member listens on an any-address: the first private address, IPv4 before IPv6, as memberlist
 * chooses; a public one only where that is allowed, since gossip is not encrypted without `--cluster.tls-config`.
 */
export function advertiseAddress(
  addresses: readonly InterfaceAddress[],
  allowPublic: boolean,
): string {
  const usable = addresses
    .filter(({ internal, address }) => !internal && !LINK_LOCAL.test(address))
    .sort((a, b) => Number(a.family === 'IPv6') - Number(b.family === 'IPv6'));
  const found =
    usable.find(({ family, address }) =>
      (family === 'IPv4' ? PRIVATE_IPV4 : PRIVATE_IPV6).test(address),
    ) ?? (allowPublic ? usable[0] : undefined);
  if (found !== undefined) return found.address;
  throw new InputError(
    'ROLES.NO_PRIVATE_ADDRESS',
    '--cluster.advertise-address',
    'no private IP address found, explicit IP not provided; give one, or --cluster.listen-address= to run alone',
  );
}
