import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { RequestTls } from '../net.ts';

/** What the handshake of a connection told; null for one without TLS. */
export function requestTls(socket: Socket): RequestTls | null {
  if (!('encrypted' in socket)) return null;
  const secured = socket as TLSSocket & { readonly servername?: string | false };
  const { subject } = secured.getPeerCertificate();
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
            fault: secured.authorized ? null : String(secured.authorizationError),
          },
  };
}
