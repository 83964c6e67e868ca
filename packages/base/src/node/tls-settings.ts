import type { SecureContextOptions } from 'node:tls';
import type { TlsClientOptions } from '../net.ts';

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
