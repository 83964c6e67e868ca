import { isIP } from 'node:net';
import type * as undici from 'undici';
import type { HttpPoolOptions } from '../net.ts';
import { tlsClientSettings } from '../tls-client-settings.ts';
import { buildConnector, Client, Pool } from './undici-parts.ts';

/** undici hands the options of an exchange on as they are, so that this reaches the connection which the pool has chosen. */
export type Asked = {
  readonly connection: { isKept: boolean };
  /** Without it undici takes a session to be for the name in the Host header, which may be that of our own client. */
  readonly servername: string;
};

/** Whose certificate is expected: an address, which SNI cannot carry, is told by its host. */
export function serverNameOf({ origin, tls }: HttpPoolOptions): string {
  return tls?.serverName ?? new URL(origin).hostname.replace(/^\[|\]$/g, '');
}

/** A pool whose exchanges are told whether their connection was kept from an earlier one. */
export function openUndiciPool(options: HttpPoolOptions): undici.Pool {
  const { origin, connectTimeoutMs, keepAliveMs, tls } = options;
  const name = serverNameOf(options);
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    ...(tls === undefined ? {} : tlsClientSettings(tls)),
  });
  return new Pool(origin, {
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    factory: (to, clientOptions) => {
      const client = new Client(to, clientOptions);
      const dispatch = client.dispatch.bind(client);
      client.dispatch = (asked, handler) => {
        (asked as unknown as Asked).connection.isKept = client.stats.connected;
        return dispatch(asked, handler);
      };
      return client;
    },
    connect: (to, done) => {
      const { servername: _, ...rest } = to;
      connect(isIP(name) === 0 ? { ...rest, servername: name } : rest, done);
    },
  });
}
