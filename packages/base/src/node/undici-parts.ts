/// <reference path="./undici-modules.d.ts" />
import type { Dispatcher, ProxyAgent } from 'undici';
import request from 'undici/lib/api/api-request.js';

/*
 * undici's door loads all of it, fetch, web sockets, caches and doubles for tests among them: 44 to 60 ms of processor time and 8.8 MB in
 * the moment of the first request of a bundled program, these files 24 to 32 ms and 4.3 MB (7.30, Node 20). The version is pinned, and
 * every test of the client meets these names.
 */
export { default as buildConnector } from 'undici/lib/core/connect.js';
export { default as Agent } from 'undici/lib/dispatcher/agent.js';
export { default as Client } from 'undici/lib/dispatcher/client.js';
export { default as Pool } from 'undici/lib/dispatcher/pool.js';

/**
 * One exchange through an agent. Rejects when it fails, for whatever reason, and as soon as the signal aborts: undici looks at that only
 * once it has a connection, and one to a host that drops packets is given up after ten seconds. Until then such a request waits unsent.
 */
export function send(
  agent: Dispatcher,
  options: Dispatcher.RequestOptions & { readonly signal: AbortSignal },
): Promise<Dispatcher.ResponseData> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const leave = (): void => signal.removeEventListener('abort', onAbort);
    request.call(agent, options).then(
      (response) => {
        leave();
        resolve(response);
      },
      (error: unknown) => {
        leave();
        reject(error);
      },
    );
  });
}

/** Proxies are rare: the first one loads all of undici, of which it needs more than the parts above. */
export async function loadProxyAgent(): Promise<typeof ProxyAgent> {
  return (await import('undici')).ProxyAgent;
}
