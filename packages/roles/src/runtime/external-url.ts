import { type Address, assert, InputError } from '@pollux/base';
import { formatAddress, parseAddress } from '@pollux/http/serving';

/** `--web.listen-address`, which may be repeated: at least one. */
export function listenAddressesOf(given: readonly string[]): readonly [Address, ...Address[]] {
  const [first, ...others] = given.map(parseAddress);
  assert(first !== undefined, 'BUG: a flag without a value has its fallback');
  return [first, ...others];
}

/** `--web.external-url` without a slash at its end; by default this host's name and port. */
export function externalUrlOf(given: string, at: Address, hostname: string): string {
  if (given !== '') {
    if (!URL.canParse(given)) {
      throw new InputError(
        'ROLES.BAD_FLAG',
        '--web.external-url',
        `"${given}" is no URL; write http://host:port/path`,
      );
    }
    return given.replace(/\/+$/, '');
  }
  const { host, port } = at;
  const isAny = host === '0.0.0.0' || host === '::';
  return `http://${formatAddress({ host: isAny ? hostname : host, port })}`;
}

/** `--web.route-prefix`, by default the path of the external URL. */
export function routePrefixOf(given: string, externalUrl: string): string {
  const prefix = given === '' ? new URL(externalUrl).pathname : given;
  return prefix.startsWith('/') ? prefix : `/${prefix}`;
}
