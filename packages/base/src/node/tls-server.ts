import type * as http from 'node:http';
import * as https from 'node:https';
import * as tls from 'node:tls';
import type { HttpServeTls, ServerCertificate } from '../net.ts';

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
    const made = tls.createSecureContext({
      ...contextOptions(certificate),
      minVersion: this.#tls.minVersion ?? 'TLSv1.2',
    });
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
      ...contextOptions(options),
      minVersion: options.minVersion ?? 'TLSv1.2',
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
      const settings = contextOptions(changed);
      tls.createSecureContext(settings);
      server.setSecureContext({ ...settings, minVersion: changed.minVersion ?? 'TLSv1.2' });
      certificates.renew(changed);
    },
  };
}

function contextOptions({
  certificate,
  key,
  clientCa,
}: ServerCertificate): tls.SecureContextOptions {
  return { cert: certificate, key, ...(clientCa === undefined ? {} : { ca: clientCa }) };
}
