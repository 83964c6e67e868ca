import type { SecureContextOptions, TlsOptions } from 'node:tls';
import type { TlsClientOptions, TlsHandshake, TlsServerOptions } from '../net.ts';

type TlsSettings = Pick<
  SecureContextOptions,
  'ca' | 'cert' | 'key' | 'minVersion' | 'maxVersion'
> & { readonly rejectUnauthorized: boolean; readonly servername?: string };

/** Node's words for the TLS options of a client. */
export function tlsSettings(tls: TlsClientOptions): TlsSettings {
  return {
    rejectUnauthorized: tls.insecureSkipVerify !== true,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    ...(tls.minVersion === undefined ? {} : { minVersion: tls.minVersion }),
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
  };
}

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
