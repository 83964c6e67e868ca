import { nodeEnv } from '@pollux/base/node';
import { Gateway, parseGatewayConfig } from '@pollux/gateway';
import { Log, Registry } from '@pollux/telemetry';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Scratch } from '../system/running-role.ts';
import { hasNginx, NO_NGINX, startNginx } from './real-nginx.ts';
import { type Behaviour, UpstreamDouble } from './upstream-double.ts';

/** A member's settings in words that both understand, as `weight=5 max_fails=2`. */
type Server = { readonly name: string; readonly settings?: string };

type Scenario = {
  readonly servers: readonly Server[];
  readonly balance?: 'least_conn';
  /** nginx's words of proxy_next_upstream. */
  readonly nextOn?: string;
  readonly tries?: number;
  /** What happens; gives what a client saw, one line an exchange. */
  readonly run: (world: World) => Promise<void>;
};

/** One balancer in front of doubles. */
class World {
  readonly seen: string[] = [];
  readonly asked: string[];
  readonly #doubles: ReadonlyMap<string, UpstreamDouble>;
  readonly #port: number;

  constructor(port: number, doubles: ReadonlyMap<string, UpstreamDouble>, asked: string[]) {
    this.#port = port;
    this.#doubles = doubles;
    this.asked = asked;
  }

  set(name: string, behaviour: Behaviour): void {
    this.#doubles.get(name)!.behaviour = behaviour;
  }

  slow(name: string, delayMs: number): void {
    this.#doubles.get(name)!.delayMs = delayMs;
  }

  async send(count: number, method = 'GET'): Promise<void> {
    for (let i = 0; i < count; i++) await this.#exchange(method);
  }

  async together(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#exchange('GET')));
  }

  async #exchange(method: string): Promise<void> {
    const body = method === 'GET' ? {} : { body: 'x=1' };
    const answer = await fetch(`http://127.0.0.1:${this.#port}/`, { method, ...body });
    const text = await answer.text();
    this.seen.push(answer.status === 200 ? text : String(answer.status));
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'equal members in turn': {
    servers: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
    run: (world) => world.send(20),
  },
  'weights, smoothly': {
    servers: [
      { name: 'a', settings: 'weight=5' },
      { name: 'b', settings: 'weight=1' },
      { name: 'c', settings: 'weight=2' },
    ],
    run: (world) => world.send(40),
  },
  'a member that fails once too often is left out': {
    servers: [{ name: 'a' }, { name: 'b' }],
    run: async (world) => {
      await world.send(3);
      world.set('a', 'reset');
      await world.send(12);
    },
  },
  'three failures are allowed, and cost weight': {
    servers: [
      { name: 'a', settings: 'weight=6 max_fails=3' },
      { name: 'b', settings: 'weight=2' },
    ],
    run: async (world) => {
      world.set('a', 'reset');
      await world.send(20);
    },
  },
  'max_fails=0 never leaves a member out': {
    servers: [{ name: 'a', settings: 'max_fails=0' }, { name: 'b' }],
    run: async (world) => {
      world.set('a', 'reset');
      await world.send(10);
    },
  },
  'a member that is back is found by one trial': {
    servers: [{ name: 'a', settings: 'fail_timeout=1s' }, { name: 'b' }],
    run: async (world) => {
      world.set('a', 'reset');
      await world.send(5);
      await pause(2_200);
      await world.send(4);
      world.set('a', 'good');
      await pause(2_200);
      await world.send(6);
    },
  },
  'a backup only when nobody else is left': {
    servers: [{ name: 'a' }, { name: 'b' }, { name: 'c', settings: 'backup' }],
    run: async (world) => {
      await world.send(4);
      world.set('a', 'reset');
      await world.send(4);
      world.set('b', 'reset');
      await world.send(6);
    },
  },
  'a member that is marked down never': {
    servers: [{ name: 'a' }, { name: 'b', settings: 'down' }, { name: 'c' }],
    run: (world) => world.send(8),
  },
  'nobody left is 502, and again once all are taken out': {
    servers: [{ name: 'a' }, { name: 'b' }],
    run: async (world) => {
      world.set('a', 'reset');
      world.set('b', 'reset');
      await world.send(4);
    },
  },
  'a single member is asked however often it fails': {
    servers: [{ name: 'a' }],
    run: async (world) => {
      world.set('a', 'reset');
      await world.send(4);
      world.set('a', 'good');
      await world.send(2);
    },
  },
  'a POST that was sent is not sent again': {
    servers: [{ name: 'a' }, { name: 'b' }],
    run: async (world) => {
      world.set('a', 'reset');
      await world.send(6, 'POST');
    },
  },
  'statuses that ask for another member': {
    servers: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
    nextOn: 'error timeout http_503',
    run: async (world) => {
      world.set('a', 503);
      world.set('b', 500);
      await world.send(8);
    },
  },
  'a status that nobody does better': {
    servers: [{ name: 'a' }, { name: 'b' }],
    nextOn: 'error timeout http_503',
    run: async (world) => {
      world.set('a', 503);
      world.set('b', 503);
      await world.send(1);
    },
  },
  'no more tries than allowed': {
    servers: [
      { name: 'a', settings: 'max_fails=0' },
      { name: 'b', settings: 'max_fails=0' },
      { name: 'c' },
    ],
    tries: 2,
    run: async (world) => {
      world.set('a', 'reset');
      world.set('b', 'reset');
      await world.send(6);
    },
  },
  'a silent member costs its time-out once': {
    servers: [{ name: 'a' }, { name: 'b' }],
    run: async (world) => {
      world.set('a', 'hang');
      await world.send(5);
    },
  },
  'a POST to a silent member is 504': {
    servers: [{ name: 'a' }, { name: 'b' }],
    run: async (world) => {
      world.set('a', 'hang');
      await world.send(3, 'POST');
    },
  },
  'the least busy member': {
    servers: [{ name: 'a' }, { name: 'b' }],
    balance: 'least_conn',
    run: async (world) => {
      world.slow('a', 700);
      world.slow('b', 5);
      const first = world.together(1);
      await pause(100);
      await world.send(6);
      await first;
      await world.send(3);
    },
  },
  'the least busy for its weight': {
    servers: [{ name: 'a', settings: 'weight=3' }, { name: 'b' }],
    balance: 'least_conn',
    run: async (world) => {
      world.slow('a', 500);
      world.slow('b', 500);
      for (let i = 0; i < 8; i++) {
        void world.together(1);
        await pause(30);
      }
      await pause(900);
    },
  },
};

describe.skipIf(!hasNginx)(`the gateway chooses members as nginx does${NO_NGINX}`, () => {
  let scratch: Scratch;
  const closers: (() => Promise<void>)[] = [];
  beforeAll(() => {
    scratch = new Scratch();
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  afterAll(() => scratch.remove());

  it.for(Object.entries(SCENARIOS))('%s', async ([name, scenario]) => {
    const folder = name.replaceAll(/\W+/g, '-');
    const theirs = await play(scenario, async (ports) => {
      const nginx = await startNginx(scratch, folder, (port) => nginxConfig(scenario, ports, port));
      closers.push(nginx.stop);
      return nginx.port;
    });
    const ours = await play(scenario, (ports) => startGateway(gatewayConfig(scenario, ports)));
    expect(ours).toEqual(theirs);
    expect(theirs.seen.length).toBeGreaterThan(0);
  });

  /** What clients saw, and who was asked, in order. */
  async function play(
    scenario: Scenario,
    start: (ports: readonly number[]) => Promise<number>,
  ): Promise<{ readonly seen: readonly string[]; readonly asked: readonly string[] }> {
    const asked: string[] = [];
    const doubles = new Map<string, UpstreamDouble>();
    for (const { name } of scenario.servers) {
      const double = await UpstreamDouble.start(name, asked);
      doubles.set(name, double);
      closers.push(() => double.stop());
    }
    const port = await start([...doubles.values()].map((double) => double.port));
    asked.length = 0;
    const world = new World(port, doubles, asked);
    await scenario.run(world);
    return { seen: world.seen, asked };
  }

  async function startGateway(text: string): Promise<number> {
    const env = nodeEnv();
    const config = parseGatewayConfig(text, 'gateway.yml');
    const gateway = new Gateway({ env, log: Log.silent(), registry: new Registry(), config });
    const handler = gateway.handlerOver(async () => ({ status: 404 }));
    const listener = await env.net.serveHttp(
      { at: { host: '127.0.0.1', port: 0 }, maxConnections: 100, readTimeoutMs: 10_000 },
      handler,
    );
    gateway.start();
    closers.push(async () => {
      await listener.close(0);
      await gateway.close();
    });
    // As the readiness check of the other one: one request, so that both begin behind it.
    await (await fetch(`http://127.0.0.1:${listener.address.port}/`)).arrayBuffer();
    return listener.address.port;
  }
});

function nginxConfig(scenario: Scenario, ports: readonly number[], port: number): string {
  const servers = scenario.servers.map(
    ({ settings = '' }, index) => `server 127.0.0.1:${ports[index]} ${settings};`,
  );
  return `
    upstream group { ${scenario.balance ?? ''}${scenario.balance ? ';' : ''} ${servers.join('\n')} keepalive 16; }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://group;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_read_timeout 1s;
        ${scenario.nextOn === undefined ? '' : `proxy_next_upstream ${scenario.nextOn};`}
        proxy_next_upstream_tries ${scenario.tries ?? 0};
      }
    }`;
}

function gatewayConfig(scenario: Scenario, ports: readonly number[]): string {
  const members = scenario.servers.map(({ name, settings = '' }, index) => {
    const words = settings.split(' ').filter((word) => word !== '');
    const fields = words.map((word) => {
      const [key = '', value = 'true'] = word.split('=');
      return `, ${key}: ${value}`;
    });
    return `      - {name: ${name}, url: 'http://127.0.0.1:${ports[index]}'${fields.join('')}}`;
  });
  const on = (scenario.nextOn ?? 'error timeout').split(' ').join(', ');
  return `
groups:
  - name: group
    kind: http
    balance: ${scenario.balance ?? 'round_robin'}
    try_timeout: 1s
    retry: {on: [${on}], tries: ${scenario.tries ?? 0}}
    members:
${members.join('\n')}
hosts:
  - server_names: [_]
    locations: [{path: /, group: group}]
`;
}
