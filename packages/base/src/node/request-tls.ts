import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { RequestTls } from '../net.ts';

const NAMES: ReadonlySet<string> = new Set(['DNS', 'IP Address', 'email', 'URI']);

/** What the handshake of a connection told; null for one without TLS. */
export function requestTls(socket: Socket): RequestTls | null {
  if (!('encrypted' in socket)) return null;
  const secured = socket as TLSSocket & { readonly servername?: string | false };
  const { subject, subjectaltname } = secured.getPeerCertificate();
  const name = secured.servername;
  return {
    serverName: typeof name === 'string' ? name.toLowerCase() : '',
    clientCertificate:
      subject === undefined
        ? null
        : {
            subject: Object.entries(subject)
              .map(([key, value]) => `${key}=${String(value)}`)
              .join(','),
            names: namesOf(subjectaltname ?? ''),
            fault: secured.authorized ? null : String(secured.authorizationError),
          },
  };
}

/**
 * The values in Node's text of alternative names: `DNS:a.org, IP Address:10.0.0.1, URI:"spiffe://a, b"`. A value that could be mistaken
 * for several is a JSON text there.
 */
export function namesOf(text: string): string[] {
  const names: string[] = [];
  const one = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gy;
  for (let match = one.exec(text); match !== null && match[0] !== ''; match = one.exec(text)) {
    const [, kind = '', given = ''] = match;
    if (!NAMES.has(kind)) continue;
    const value = given.startsWith('"') ? (JSON.parse(given) as string) : given;
    names.push(kind === 'IP Address' ? shortIp(value) : value);
  }
  return names;
}

/** The short form of an IPv6 address, which Node writes out: `0:0:0:0:0:0:0:1`. */
function shortIp(address: string): string {
  if (!address.includes(':') || !URL.canParse(`http://[${address}]`)) return address;
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
