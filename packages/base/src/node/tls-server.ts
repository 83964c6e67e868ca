import type * as http from 'node:http';
import * as https from 'node:https';
import * as tls from 'node:tls';
import type { HttpServeTls, ServerCertificate } from '../net.ts';
import { handshakeSettings } from './tls-settings.ts';

export type TlsServer = {
  readonly server: https.Server;
  /** For connections from now on. Throws on a bad certificate, and nothing changes. */
  readonly renew: (options: HttpServeTls) => void;
};

/** The certificates that a server shows, by the name that a client asks for; they can be changed while it serves. */
class Certificates {
  #tls: HttpServeTls;
  readonly #contexts = new WeakMap<ServerCertificate, tls.SecureContext>();

  constructor(options: HttpServeTls) {
    this.#tls = options;
  }

  renew(options: HttpServeTls): void {
    this.#tls = options;
  }

  context(serverName: string): tls.SecureContext {
    const certificate = this.#tls.byServerName?.(serverName) ?? this.#tls;
    const known = this.#contexts.get(certificate);
    if (known !== undefined) return known;
    const made = tls.createSecureContext(contextOptions(this.#tls, certificate));
    this.#contexts.set(certificate, made);
    return made;
  }
}

export function createTlsServer(options: HttpServeTls, listener: http.RequestListener): TlsServer {
  const certificates = new Certificates(options);
  // Made here, a bad certificate is an error of the start and not of the first connection.
  certificates.context('');
  const server = https.createServer(
    {
      ...contextOptions(options, options),
      requestCert: options.asksClientCertificates === true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
      SNICallback: (name, done) => {
        try {
          done(null, certificates.context(name.toLowerCase()));
        } catch (error) {
          done(error instanceof Error ? error : new Error(String(error)));
        }
      },
    },
    listener,
  );
  // A client that speaks no TLS, or gives up in the handshake.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return {
    server,
    renew: (changed) => {
      const settings = contextOptions(changed, changed);
      tls.createSecureContext(settings);
      server.setSecureContext(settings);
      certificates.renew(changed);
    },
  };
}

function contextOptions(
  options: HttpServeTls,
  { certificate, key, clientCa }: ServerCertificate,
): tls.SecureContextOptions {
  return {
    cert: certificate,
    key,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
    minVersion: 'TLSv1.2',
    ...handshakeSettings(options),
  };
}
