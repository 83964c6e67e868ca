import type { TlsOptions } from 'node:tls';
import type { TlsHandshake, TlsServerOptions } from '../net.ts';

/** Node's words for the TLS options of a server. Only a certificate that must be verified is refused in the handshake. */
export function tlsServerSettings(tls: TlsServerOptions): TlsOptions {
  return {
    cert: tls.certificate,
    key: tls.key,
    requestCert: tls.clientAuth !== 'none',
    rejectUnauthorized: tls.clientAuth === 'require-and-verify',
    ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa }),
    ...handshakeSettings(tls),
  };
}

/** Node's words for what a server agrees to. */
export function handshakeSettings(tls: TlsHandshake): TlsOptions {
  return {
    ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers }),
    ...(tls.curves === undefined ? {} : { ecdhCurve: tls.curves }),
    ...(tls.minVersion === undefined ? {} : { minVersion: tls.minVersion }),
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
  };
}
