/**
 * Whether a host is reached without the proxy, by the rules of Go's `NO_PROXY`: names match themselves and their
 * subdomains, `.name` the subdomains only, addresses themselves, blocks of IPv4 (`10.0.0.0/8`) what is in them, `*` all;
 * a port limits a rule to it. This machine is never reached through a proxy once there are rules.
 */
export function isWithoutProxy(url: URL, rules: string): boolean {
  if (rules.trim() === '') return false;
  const host = url.hostname.toLowerCase().replace(/^\[|\]$|\.$/g, '');
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  if (host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/.test(host)) return true;
  return rules
    .split(',')
    .map((rule) => rule.trim().toLowerCase())
    .some((rule) => rule !== '' && matches(rule, host, port));
}

function matches(rule: string, host: string, port: string): boolean {
  if (rule === '*') return true;
  const block = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(rule);
  if (block !== null) return isInBlock(host, block[1] ?? '', Number(block[2]));
  const [, name = rule, rulePort = port] = /^(.*[^:]):(\d+)$/.exec(rule) ?? [];
  if (rulePort !== port) return false;
  const bare = name.replace(/^\[|\]$/g, '').replace(/^\*\./, '.');
  if (bare.startsWith('.')) return host.endsWith(bare);
  return host === bare || host.endsWith(`.${bare}`);
}

function isInBlock(host: string, network: string, bits: number): boolean {
  const address = ipv4(host);
  const base = ipv4(network);
  if (address === null || base === null || bits > 32) return false;
  const size = 2 ** (32 - bits);
  return Math.floor(address / size) === Math.floor(base / size);
}

function ipv4(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  return match.slice(1).reduce((sum, part) => sum * 256 + Number(part), 0);
}
