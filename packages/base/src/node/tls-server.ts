import type * as http from 'node:http';
import * as https from 'node:https';
import * as tls from 'node:tls';
import type { HttpServeTls, ServerCertificate } from '../net.ts';
import { requestTls } from './request-tls.ts';
import { handshakeSettings } from './tls-server-settings.ts';

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
      rejectUnauthorized: options.clients?.needVerified === true,
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
  let { clients } = options;
  // A client that speaks no TLS, gives up in the handshake, or has no certificate that can be verified where one is needed.
  server.on('tlsClientError', (error, socket) => {
    clients?.onRefused(faultOf(socket) ?? wordsOf(error), socket.remoteAddress ?? '');
    socket.destroy();
  });
  server.prependListener('secureConnection', (socket) => {
    const client = requestTls(socket);
    const why = client === null ? null : (clients?.refusal(client) ?? null);
    if (why === null) return;
    clients?.onRefused(why, socket.remoteAddress ?? '');
    socket.destroy();
  });
  return {
    server,
    renew: (changed) => {
      const settings = contextOptions(changed, changed);
      tls.createSecureContext(settings);
      server.setSecureContext(settings);
      certificates.renew(changed);
      clients = changed.clients;
      // Each new connection reads them of the server, which has no call to set them.
      Object.assign(server, {
        requestCert: changed.asksClientCertificates === true,
        rejectUnauthorized: clients?.needVerified === true,
      });
    },
  };
}

/** Why the client's certificate was not verified; null when that is not what went wrong. */
function faultOf({ authorizationError }: tls.TLSSocket): string | null {
  // Node's types have an Error where it gives OpenSSL's code.
  return authorizationError === null || authorizationError === undefined
    ? null
    : String(authorizationError);
}

/** OpenSSL's words without the number and the place in its source. */
function wordsOf(error: Error & { readonly reason?: string }): string {
  return error.reason ?? error.message;
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
