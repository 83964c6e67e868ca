import { parseIp } from '@pollux/base';

/**
 * Whether a host is reached without the proxy, by the rules of Go's `NO_PROXY`: names match themselves and their
 * subdomains, `.name` and `*.name` the subdomains only, addresses themselves, blocks (`10.0.0.0/8`, `fd00::/8`) what is in
 * them, `*` all; a port limits a name or an address to it. Rules of names do not speak of addresses.
 */
export function isWithoutProxy(url: URL, rules: string): boolean {
  const host = hostOf(url);
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return rules
    .split(',')
    .map((rule) => rule.trim().toLowerCase())
    .some((rule) => rule !== '' && matches(rule, host, port));
}

/** This machine: never reached through a proxy of the environment, nor once there are rules. */
export function isThisMachine(url: URL): boolean {
  const host = hostOf(url);
  const ip = parseIp(host);
  if (ip === null) return host === 'localhost';
  if (ip.length === 4) return ip[0] === 127;
  return ip.every((byte, index) => byte === (index === 15 ? 1 : 0));
}

function hostOf(url: URL): string {
  return url.hostname.toLowerCase().replace(/^\[|\]$/g, '');
}

function matches(rule: string, host: string, port: string): boolean {
  if (rule === '*') return true;
  const ip = parseIp(host);
  const [, network, bits] = /^(.+)\/(\d+)$/.exec(rule) ?? [];
  if (network !== undefined) return ip !== null && isInBlock(ip, parseIp(network), Number(bits));
  const [, name = rule, rulePort = port] = /^(\[.*\]|[^:]*):(\d*)$/.exec(rule) ?? [];
  if (name === '' || (rulePort !== '' && rulePort !== port)) return false;
  const bare = name.replace(/^\[|\]$/g, '');
  const ruleIp = parseIp(bare);
  if (ruleIp !== null) return ip !== null && Buffer.from(ip).equals(ruleIp);
  if (ip !== null) return false;
  const wanted = asciiName(bare.replace(/^\*\./, '.'));
  return wanted.startsWith('.')
    ? host.endsWith(wanted)
    : host === wanted || host.endsWith(`.${wanted}`);
}

/** A name in other letters is compared in the form in which addresses carry it. */
function asciiName(name: string): string {
  const isPlain = /^[ -~]*$/.test(name) || !URL.canParse(`http://${name.replace(/^\./, '')}`);
  if (isPlain) return name;
  const { hostname } = new URL(`http://${name.replace(/^\./, '')}`);
  return name.startsWith('.') ? `.${hostname}` : hostname;
}

function isInBlock(ip: Uint8Array, network: Uint8Array | null, bits: number): boolean {
  if (network === null || network.length !== ip.length || bits > ip.length * 8) return false;
  return ip.every((byte, index) => {
    const left = Math.min(8, Math.max(0, bits - index * 8));
    const mask = (0xff << (8 - left)) & 0xff;
    return (byte & mask) === (network[index]! & mask);
  });
}
