import type { Env, HttpClientRequest, HttpClientResponse, Net } from '@pollux/base';

const AGAIN_MS = 3_000;
const FIRES_AGAIN_MS = 10_000;

type Told = { readonly alerts: readonly { readonly status: string }[]; readonly groupKey: string };

/** What a message is about, and whether it tells of ends only. */
function toldIn(asked: HttpClientRequest): { readonly key: string; readonly isEnd: boolean } {
  const { alerts, groupKey } = JSON.parse(String(asked.body)) as Told;
  const isEnd = alerts.every(({ status }) => status === 'resolved');
  return { key: `${asked.url} ${groupKey}`, isEnd };
}

const ACCEPTED: HttpClientResponse = { status: 200, headers: {}, body: new Uint8Array(0) };

/** The end of what another member told, or this one before its restart, is dropped on the way. */
export function onlyOwnEnds(env: Env): Env {
  const own = new Set<string>();
  const request = (asked: HttpClientRequest): Promise<HttpClientResponse> => {
    const { key, isEnd } = toldIn(asked);
    if (isEnd && !own.has(key)) return Promise.resolve(ACCEPTED);
    if (!isEnd) own.add(key);
    return env.net.request(asked);
  };
  return { ...env, net: withRequest(env.net, request) };
}

/** Behind the first end the beginning is told again and again, and no other end. */
export function firesForever(env: Env): Env {
  const beginnings = new Map<string, HttpClientRequest>();
  const ended = new Set<string>();
  const request = async (asked: HttpClientRequest): Promise<HttpClientResponse> => {
    const { key, isEnd } = toldIn(asked);
    const { signal: _, ...again } = asked;
    if (!isEnd) beginnings.set(key, again);
    if (isEnd && ended.has(key)) return ACCEPTED;
    const answer = await env.net.request(asked);
    if (isEnd && answer.status === 200) {
      ended.add(key);
      const tell = (): void => {
        const beginning = beginnings.get(key);
        if (beginning !== undefined) void env.net.request(beginning).catch(() => {});
        env.clock.after(FIRES_AGAIN_MS, tell);
      };
      env.clock.after(FIRES_AGAIN_MS, tell);
    }
    return answer;
  };
  return { ...env, net: withRequest(env.net, request) };
}

/** What a receiver has accepted it gets again after a while. */
export function toldAgain(env: Env): Env {
  const request = async (asked: HttpClientRequest): Promise<HttpClientResponse> => {
    const answer = await env.net.request(asked);
    if (answer.status === 200) {
      const { signal: _, ...again } = asked;
      env.clock.after(AGAIN_MS, () => void env.net.request(again).catch(() => {}));
    }
    return answer;
  };
  return { ...env, net: withRequest(env.net, request) };
}

/** A message with the same alerts as the one before is dropped on the way, as if it had been accepted. */
export function withoutRepeats(env: Env): Env {
  const last = new Map<string, string>();
  const answer = { status: 200, headers: {}, body: new Uint8Array(0) };
  const request = (asked: HttpClientRequest): Promise<HttpClientResponse> => {
    const { groupKey, alerts } = JSON.parse(String(asked.body));
    const told = JSON.stringify(
      alerts.map(({ status, labels }: { status: string; labels: object }) => [status, labels]),
    );
    const key = `${asked.url} ${groupKey}`;
    if (last.get(key) === told) return Promise.resolve(answer);
    last.set(key, told);
    return env.net.request(asked);
  };
  return { ...env, net: withRequest(env.net, request) };
}

/** Whatever the receivers answer. */
export function alwaysAccepted(net: Net): Net {
  return withRequest(net, async (request) => ({ ...(await net.request(request)), status: 200 }));
}

/** Messages that only tell of ends are dropped on the way, as if they had been accepted. */
export function withoutEnds(env: Env): Env {
  const answer = { status: 200, headers: {}, body: new Uint8Array(0) };
  const request = (asked: HttpClientRequest): Promise<HttpClientResponse> =>
    String(asked.body).includes('"status":"resolved","alerts"')
      ? Promise.resolve(answer)
      : env.net.request(asked);
  return { ...env, net: withRequest(env.net, request) };
}

export function withRequest(net: Net, request: Net['request']): Net {
  return {
    bindUdp: (at, onPacket) => net.bindUdp(at, onPacket),
    listenTcp: (at, onConnection) => net.listenTcp(at, onConnection),
    connectTcp: (to, options) => net.connectTcp(to, options),
    serveHttp: (options, handler) => net.serveHttp(options, handler),
    resolve: (host, signal) => net.resolve(host, signal),
    openPool: (options) => net.openPool(options),
    request,
  };
}
