/** Go's net.SplitHostPort; null where it gives an error. */
export function splitHostPort(text: string): { host: string; port: string } | null {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(text);
  if (match === null) return null;
  return { host: match[1] ?? match[2] ?? '', port: match[3] ?? '' };
}

/** The first label of a host name, with its port; addresses stay whole. */
export function stripDomain(text: string): string {
  const split = splitHostPort(text);
  const host = split?.host ?? text;
  if (isAddress(host)) return text;
  const [first = ''] = host.split('.');
  return split === null || split.port === '' ? first : `${first}:${split.port}`;
}

function isAddress(host: string): boolean {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(host)) return true;
  return host.includes(':') && /^[0-9a-fA-F:.]+(?:%.*)?$/.test(host);
}
