import {
  EVERYONE,
  type File,
  type HttpClientRequest,
  type HttpClientResponse,
  type HttpResponse,
  OperatingError,
  PoolOverRequests,
  VirtualClock,
} from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { parseGatewayConfig } from '../../config.ts';
import { Gateway } from '../../gateway.ts';

export const START_MS = 1_700_000_000_000;

type Member = {
  isReachable: boolean;
  status: number;
  /** Bodies with this text are answered 400. */
  refuses: string;
  /** Does not answer writes. */
  isSilent: boolean;
  readonly taken: { readonly path: string; readonly body: string }[];
};

/** A gateway over two members of each kind, on a real disk and with a time of its own. */
export class WrittenWorld {
  readonly clock = new VirtualClock(START_MS);
  readonly registry = new Registry();
  readonly members = new Map<string, Member>();
  readonly gateway: Gateway;
  readonly router: Router;
  isDiskFull = false;

  constructor(directory: string, spool = '') {
    const real = nodeEnv();
    const env = {
      ...real,
      clock: this.clock,
      files: withOwn(real.files, {
        open: (name, mode) => this.#guarded(real.files.open(name, mode)),
      }),
      net: withOwn(real.net, {
        request: (request) => this.#request(request),
        openPool: (options) =>
          new PoolOverRequests({ request: (request) => this.#request(request) }, options),
      }),
    };
    const group = (kind: string): string => {
      for (const host of ['a', 'b']) {
        const taken: Member['taken'] = [];
        const member = { isReachable: true, status: 204, refuses: '-', isSilent: false, taken };
        this.members.set(`${kind}-${host}`, member);
      }
      return `{name: ${kind}, kind: ${kind}, members: [{name: ${kind}-a, url: 'http://${kind}-a'}, {name: ${kind}-b, url: 'http://${kind}-b'}]}`;
    };
    const groups = ['server', 'store', 'alertmanager'].map(group).join(', ');
    this.gateway = new Gateway({
      env,
      log: Log.silent(),
      registry: this.registry,
      config: parseGatewayConfig(`groups: [${groups}]\n${spool}`, 'gateway.yml'),
      spoolDirectory: directory === '' ? null : directory,
      stampLines: (lines, precision, nowMs) => {
        const text = new TextDecoder().decode(lines);
        return text.startsWith('bare')
          ? new TextEncoder().encode(`${text} ${nowMs} ${precision}`)
          : lines;
      },
    });
    this.router = new Router({ monotonic: () => this.clock.monotonic() });
    this.gateway.registerRoutes(this.router);
    this.gateway.start();
  }

  member(name: string): Member {
    const found = this.members.get(name);
    if (found === undefined) throw new Error(`no member ${name}`);
    return found;
  }

  bodies(name: string): string[] {
    return this.member(name).taken.map(({ body }) => body);
  }

  async post(
    target: string,
    text: string,
    headers: Record<string, string> = {},
  ): Promise<HttpResponse> {
    const body = new TextEncoder().encode(text);
    return this.until(
      this.router.handler({
        method: 'POST',
        target,
        headers: { 'content-length': String(body.length), ...headers },
        remote: { host: '127.0.0.1', port: 1 },
        body: async () => body,
        stream: () => new Response(body).body as unknown as AsyncIterable<Uint8Array>,
        signal: new AbortController().signal,
        principal: EVERYONE,
      }),
    );
  }

  /** Lets time pass until it is done; the disk has its own time. */
  async until<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const settled = work.finally(() => {
      isDone = true;
    });
    settled.catch(() => {});
    for (let turn = 0; !isDone && turn < 5_000; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await this.clock.advance(20);
    }
    return settled;
  }

  async untilTrue(check: () => boolean): Promise<void> {
    await this.until(
      (async () => {
        while (!check()) await new Promise((resolve) => setTimeout(resolve, 1));
      })(),
    );
  }

  /** Health checks have seen how it is. */
  settle(): Promise<void> {
    return this.clock.advance(1_100);
  }

  metric(line: string): number | null {
    const found = renderText(this.registry.gather())
      .split('\n')
      .find((one) => one.startsWith(`${line} `));
    return found === undefined ? null : Number(found.slice(line.length + 1));
  }

  close(): Promise<void> {
    return this.until(this.gateway.close());
  }

  #guarded(file: File): File {
    return withOwn(file, {
      write: (...args) => {
        if (this.isDiskFull) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        file.write(...args);
      },
    });
  }

  async #request(request: HttpClientRequest): Promise<HttpClientResponse> {
    const { hostname, pathname, search } = new URL(request.url);
    const member = this.member(hostname);
    if (!member.isReachable) throw new OperatingError('BASE.CONNECTION', 'refused');
    const answer = (status: number): HttpClientResponse => ({
      status,
      headers: {},
      body: new TextEncoder().encode(`${hostname} says ${status}`),
    });
    if (request.method === 'GET') return answer(pathname.includes('pollux') ? 404 : 200);
    if (member.isSilent) {
      await new Promise((_, reject) => {
        this.clock.after(request.timeoutMs, () =>
          reject(new OperatingError('BASE.TIMEOUT', 'no answer')),
        );
      });
    }
    const body = new TextDecoder().decode(request.body as Uint8Array);
    if (body.includes(member.refuses)) return answer(400);
    if (member.status < 300) {
      member.taken.push({ path: pathname + search, body });
    }
    return answer(member.status);
  }
}

/** An object some of whose methods are others. */
function withOwn<T extends object>(object: T, own: Partial<T>): T {
  return new Proxy(object, {
    get: (_, key) => {
      if (key in own) return Reflect.get(own, key) as unknown;
      const value: unknown = Reflect.get(object, key);
      return typeof value === 'function' ? (value.bind(object) as unknown) : value;
    },
  });
}
