import { createSocket } from 'node:dgram';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { SeededRandom } from '@pollux/base';
import { Labels } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder } from '@pollux/remote';
import { addressOf, findLayout } from '@pollux/roles/up';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, runToEnd, Scratch } from './running-role.ts';

const scratch = new Scratch();
afterAll(() => scratch.remove());

/** Files that no role may start with: what is wrong, and what its message must say of place and remedy. */
const BAD_SERVER_FILES = [
  {
    what: 'broken YAML',
    text: 'global: {a: 1\nscrape_configs: []\n',
    says: /:2:1: not valid YAML: .*end with a }/,
  },
  {
    what: 'an unknown key',
    text: 'global:\n  scrape_intervall: 1s\n',
    says: /:2:3: global: unknown field "scrape_intervall"; known here: scrape_interval,/,
  },
  {
    what: 'a bad duration',
    text: 'global:\n  scrape_interval: 1sec\n',
    says: /:2:20: global\.scrape_interval: unknown unit "sec" in duration "1sec"; write for example 30s/,
  },
  {
    what: 'a bad regex in relabelling',
    text: 'scrape_configs:\n  - job_name: a\n    relabel_configs:\n      - {regex: "a(", action: keep, source_labels: [x]}\n',
    says: /:4:\d+: scrape_configs\[0\]\.relabel_configs\[0\]\.regex: error parsing regexp: missing closing \): `a\(/,
  },
] as const;

const BAD_RULES = [
  {
    what: 'bad PromQL',
    text: 'groups:\n  - name: g\n    rules:\n      - record: a\n        expr: sum(rate(x[5m])\n',
    says: /bad-rules-\d\.yml:5:\d+: .*parse error: unclosed left parenthesis/,
  },
  {
    what: 'an unknown key',
    text: 'groups:\n  - name: g\n    rules:\n      - {alert: A, expr: up, fro: 5m}\n',
    says: /bad-rules-\d\.yml:4:\d+: .*unknown field "fro"; known here: .*for/,
  },
] as const;

const ROUTE = 'route: {receiver: a}\nreceivers: [{name: a}]\n';
const BAD_ALERTMANAGER_FILES = [
  {
    what: 'broken YAML',
    text: `${ROUTE}inhibit_rules: [\n`,
    says: /:4:1: not valid YAML: .*end with a \]/,
  },
  {
    what: 'an unknown key',
    text: `${ROUTE}globl: {}\n`,
    says: /:3:1: .*unknown field "globl"; known here: .*global/,
  },
  {
    what: 'a bad duration',
    text: 'route: {receiver: a, group_wait: soon}\nreceivers: [{name: a}]\n',
    says: /:1:34: route\.group_wait: not a valid duration string: "soon"; write for example 30s/,
  },
  {
    what: 'a bad regex',
    text: 'route: {receiver: a, routes: [{matchers: [\'a=~"("\']}]}\nreceivers: [{name: a}]\n',
    says: /:1:\d+: route\.routes\[0\]\.matchers.*missing closing \)/,
  },
] as const;

const freeAddress = '--web.listen-address=127.0.0.1:0';

describe('a start with a file that is wrong', () => {
  it.concurrent.each(BAD_SERVER_FILES)('server: $what', async ({ text, says }) => {
    const file = scratch.file(
      `bad-${BAD_SERVER_FILES.findIndex((row) => row.text === text)}.yml`,
      text,
    );
    await refuses(
      ['server', `--config.file=${file}`, `--storage.tsdb.path=${file}-data`],
      file,
      says,
    );
  });

  it.concurrent.each(BAD_RULES)('rules: $what', async ({ text, says }) => {
    const index = BAD_RULES.findIndex((row) => row.text === text);
    const rules = scratch.file(`bad-rules-${index}.yml`, text);
    const file = scratch.file(
      `with-rules-${index}.yml`,
      `rule_files: ['bad-rules-${index}.yml']\n`,
    );
    await refuses(
      ['server', `--config.file=${file}`, `--storage.tsdb.path=${file}-data`],
      rules,
      says,
    );
  });

  it.concurrent.each(BAD_ALERTMANAGER_FILES)('alertmanager: $what', async ({ text, says }) => {
    const index = BAD_ALERTMANAGER_FILES.findIndex((row) => row.text === text);
    const file = scratch.file(`bad-am-${index}.yml`, text);
    const args = [`--config.file=${file}`, `--storage.path=${file}-data`];
    await refuses(['alertmanager', ...args, '--cluster.listen-address='], file, says);
  });

  it.concurrent('gateway: an unknown key', async () => {
    const file = scratch.file('gateway.yml', 'groups: []\nhealth_intervall: 1s\n');
    const says = /:2:1: .*unknown field "health_intervall"; known here: .*health_interval/;
    await refuses(['gateway', `--config.file=${file}`], file, says);
  });

  it.concurrent('store: broken TOML', async () => {
    const file = scratch.file('influxdb.conf', '[http]\n  enabled = \n');
    const found = await runToEnd(['store', `--config=${file}`, `--data.dir=${file}-data`]);
    expect(found).toMatchObject({ status: 1 });
    expect(found.stderr).toContain(`${file}:2:`);
  });
});

async function refuses(args: readonly string[], file: string, says: RegExp): Promise<void> {
  const { status, stderr } = await runToEnd([...args, freeAddress]);
  expect(stderr).toContain(file);
  expect(stderr).toMatch(says);
  // One message for people, no stack of calls.
  expect(stderr).not.toMatch(/^ {4}at /m);
  expect(status).toBe(1);
}

/** Two targets; what each exposes can be changed. */
class Targets {
  readonly pages = new Map([
    ['/steady', 'steady_value 1\n'],
    ['/flaky', 'flaky_value 1\n'],
  ]);
  readonly #server: Server = createServer((request, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(this.pages.get(request.url ?? '') ?? '');
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

describe('a running server', () => {
  const targets = new Targets();
  let server: RunningRole;
  let file: string;
  let good: string;

  beforeAll(async () => {
    const address = await targets.start();
    good = [
      'global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}',
      'scrape_configs:',
      ...['steady', 'flaky'].flatMap((job) => [
        `  - job_name: ${job}`,
        `    metrics_path: /${job}`,
        `    static_configs: [{targets: ['${address}']}]`,
      ]),
      '',
    ].join('\n');
    file = scratch.file('prometheus.yml', good);
    server = await RunningRole.start([
      'server',
      `--config.file=${file}`,
      `--storage.tsdb.path=${scratch.at('server')}`,
      '--web.enable-lifecycle',
      '--web.enable-remote-write-receiver',
      freeAddress,
    ]);
    await goesOn();
  });
  afterAll(async () => {
    targets.close();
    await server?.end();
  });

  /** It answers, and has scraped the steady target after this call. */
  async function goesOn(): Promise<void> {
    const since = Date.now() / 1_000;
    await eventually('the server goes on scraping', 10_000, async () => {
      const [sample] = await server.query('timestamp(steady_value{job="steady"})');
      return sample !== undefined && Number(sample.value[1]) > since ? true : null;
    });
    expect(server.isRunning).toBe(true);
  }

  it.each(BAD_SERVER_FILES)(
    'refuses a reload with $what and keeps its configuration',
    async (row) => {
      const before = (await server.get('/api/v1/status/config')).text;
      scratch.file('prometheus.yml', row.text);
      const answer = await server.post('/-/reload', '');
      // Prometheus answers 500 here, and so do tools expect it.
      expect(answer.status).toBe(500);
      expect(answer.text).toContain(file);
      expect(answer.text).toMatch(row.says);
      expect((await server.get('/api/v1/status/config')).text).toBe(before);
      expect(await server.metric('prometheus_config_last_reload_successful')).toBe(0);
      await goesOn();
      scratch.file('prometheus.yml', good);
      expect((await server.post('/-/reload', '')).status).toBe(200);
      expect(await server.metric('prometheus_config_last_reload_successful')).toBe(1);
    },
  );

  it.each([
    ['bad PromQL', 'sum(rate(up[5m])', /1:\d+: parse error: unclosed left parenthesis/],
    ['a bad duration', 'rate(up[5mm])', /1:\d+: parse error: /],
    ['a bad regex in a matcher', 'up{job=~"("}', /parse error: .*missing closing \)/],
    [
      'an unknown function',
      'nonsense(up)',
      /1:1: parse error: unknown function with name "nonsense"/,
    ],
  ])('answers a query with %s by 400 and the position', async (_what, expression, says) => {
    for (const route of [
      `/api/v1/query?query=${encodeURIComponent(expression)}`,
      `/api/v1/query_range?start=0&end=10&step=5&query=${encodeURIComponent(expression)}`,
    ]) {
      const answer = await server.get(route);
      expect(answer.status).toBe(400);
      const { status, errorType, error } = JSON.parse(answer.text);
      expect([status, errorType]).toEqual(['error', 'bad_data']);
      expect(error).toMatch(says);
    }
    await goesOn();
  });

  it('marks a target with a malformed page down, its series stale, and scrapes the others', async () => {
    await eventually('the series is there', 5_000, async () =>
      (await server.query('flaky_value')).length === 1 ? true : null,
    );
    targets.pages.set('/flaky', 'flaky_value 2\nflaky_value{a="b" 3\n\u0000\u0001garbage\n');
    await eventually('up turns 0', 5_000, async () => {
      const [up] = await server.query('up{job="flaky"}');
      return up?.value[1] === '0' ? true : null;
    });
    // Stale, not only old: far within the lookback it is gone.
    expect(await server.query('flaky_value')).toEqual([]);
    const { text } = await server.get('/api/v1/targets?state=active');
    const target = JSON.parse(text).data.activeTargets.find(
      ({ labels }: { labels: { job: string } }) => labels.job === 'flaky',
    );
    expect(target.health).toBe('down');
    expect(target.lastError).toMatch(/expected|unexpected|invalid/);
    await goesOn();
    targets.pages.set('/flaky', 'flaky_value 3\n');
    await eventually('the target is well again', 5_000, async () => {
      const [sample] = await server.query('flaky_value');
      return sample?.value[1] === '3' ? true : null;
    });
  });

  it('takes a good remote write and refuses truncated snappy, wrong protobuf and an oversized body', async () => {
    const message = writeRequest('pushed', 7);
    const good = await snappyEncode(message);
    const send = (body: Uint8Array) =>
      server.post('/api/v1/write', body, {
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
      });
    expect((await send(good)).status).toBe(204);
    const truncated = await send(good.subarray(0, good.length - 3));
    expect(truncated.status).toBe(400);
    expect(truncated.text).toMatch(/snappy/);
    const wrong = await send(await snappyEncode(new Uint8Array([0x0a, 0x7f, 0x01, 0x02])));
    expect(wrong.status).toBe(400);
    expect(wrong.text).toMatch(/protobuf|byte|WriteRequest/i);
    const random = await send(new TextEncoder().encode('this is no snappy at all'));
    expect(random.status).toBe(400);
    const oversized = await send(new Uint8Array(33 * 1024 * 1024));
    expect(oversized.status).toBe(413);
    expect(oversized.text).toMatch(/over the limit of \d+ bytes/);
    expect((await server.query('pushed'))[0]?.value[1]).toBe('7');
    await goesOn();
  });

  it('refuses an oversized query and garbage instead of HTTP', async () => {
    const long = await server.post('/api/v1/query', `query=${'x'.repeat(12 * 1024 * 1024)}`, {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(long.status).toBe(413);
    expect(await rawAnswer(server.url, Buffer.from('\u0000\u0001garbage\r\n\r\n'))).toMatch(
      /^HTTP\/1\.1 400 /,
    );
    await goesOn();
  });
});

describe('a running store', () => {
  let store: RunningRole;

  beforeAll(async () => {
    store = await RunningRole.start(
      ['store', `--data.dir=${scratch.at('store')}`, '--http.bind-address=127.0.0.1:0'],
      { INFLUXDB_DB: 'db' },
    );
  });
  afterAll(() => store?.end());

  it('names the line that is malformed, stores the others, and refuses what it cannot read', async () => {
    const partial = await store.post('/write?db=db', 'good v=1 1000000000\nbad,=x v=1\n');
    expect(partial.status).toBe(400);
    expect(partial.text).toMatch(/unable to parse 'bad,=x v=1'/);
    expect((await store.post('/write?db=nowhere', 'm v=1')).status).toBe(404);
    // Names that no header may hold as they are.
    for (const name of ['\u0000', '监控']) {
      const answer = await store.post(`/write?db=${encodeURIComponent(name)}`, 'm v=1');
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.text).error).toContain(`database not found: "${name}"`);
      expect(answer.headers.get('x-influxdb-error')).toContain('database not found');
    }
    const write = (body: Uint8Array) => store.post('/api/v1/prom/write?db=db', body);
    expect((await write(await snappyEncode(writeRequest('pushed', 7)))).status).toBe(204);
    const cut = (await snappyEncode(writeRequest('pushed', 8))).subarray(0, 9);
    expect((await write(cut)).status).toBe(400);
    const wrong = await write(await snappyEncode(new Uint8Array([0x0a, 0x7f, 0x01, 0x02])));
    expect(wrong.status).toBe(400);
    const oversized = await store.post('/write?db=db', new Uint8Array(26 * 1024 * 1024).fill(0x61));
    expect(oversized.status).toBe(413);
    const query = await store.get(`/query?db=db&q=${encodeURIComponent('SELEC * FROM good')}`);
    expect(query.status).toBe(400);
    expect(query.text).toMatch(/error parsing query: found SELEC, expected .* at line 1, char 1/);
    const values = await store.get(`/query?db=db&q=${encodeURIComponent('SELECT v FROM good')}`);
    expect(values.text).toContain('"values":[["1970-01-01T00:00:01Z",1]]');
  });
});

describe('a running cluster of alertmanagers', () => {
  let members: RunningRole[];
  let ports: number[];

  beforeAll(async () => {
    const layout = await findLayout(true);
    const gossip = (['A', 'B'] as const).map((host) => addressOf(layout, 'gossip', host));
    ports = gossip.map((address) => Number(address.split(':')[1]));
    const file = scratch.file('alertmanager.yml', ROUTE);
    members = await Promise.all(
      gossip.map((address, index) =>
        RunningRole.start([
          'alertmanager',
          `--config.file=${file}`,
          `--storage.path=${scratch.at(`alertmanager-${index}`)}`,
          `--cluster.listen-address=${address}`,
          `--cluster.peer=${gossip[1 - index]}`,
          '--cluster.gossip-interval=50ms',
          '--cluster.settle-timeout=2s',
          freeAddress,
        ]),
      ),
    );
    await eventually('both members see each other', 10_000, async () =>
      (await memberCounts()).every((count) => count === 2) ? true : null,
    );
  });
  afterAll(async () => {
    await Promise.all((members ?? []).map((member) => member.end()));
  });

  async function memberCounts(): Promise<number[]> {
    return Promise.all(
      members.map(async (member) => {
        const { text } = await member.get('/api/v2/status');
        return JSON.parse(text).cluster.peers.length;
      }),
    );
  }

  async function silencesOf(member: RunningRole | undefined): Promise<string> {
    return (await member?.get('/api/v2/silences'))?.text ?? '';
  }

  it('stays whole and goes on gossiping under garbage on its port', async () => {
    const random = new SeededRandom(1);
    const garbage = Array.from({ length: 60 }, () =>
      Uint8Array.from({ length: 1 + random.below(600) }, () => random.below(256)),
    );
    // Every known kind of message with nothing sensible behind it.
    for (let kind = 0; kind < 16; kind++) garbage.push(Uint8Array.of(kind, 0x85, 0xff, 0xff, 0xff));
    const socket = createSocket('udp4');
    for (const [index, port] of ports.entries()) {
      const host = index === 0 || ports[0] === port ? '127.0.0.1' : gossipHost(index);
      for (const packet of garbage) socket.send(packet, port, host);
      await Promise.all(garbage.slice(-24).map((bytes) => sendTcp(host, port, bytes)));
    }
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    expect(members.every(({ isRunning }) => isRunning)).toBe(true);
    expect(await memberCounts()).toEqual([2, 2]);
    const made = await members[0]?.post('/api/v2/silences', silence('still heard'), {
      'content-type': 'application/json',
    });
    expect(made?.status).toBe(200);
    await eventually('the other member has the silence', 5_000, async () =>
      (await silencesOf(members[1])).includes('still heard') ? true : null,
    );
    expect(members[0]?.log).toMatch(
      /level=(?:WARN|DEBUG|ERROR|INFO) .*(?:gossip|memberlist|packet|message)/i,
    );
  });

  it('answers malformed alerts and silences by 400', async () => {
    const [member] = members;
    const json = { 'content-type': 'application/json' };
    for (const [target, body, says] of [
      ['/api/v2/alerts', '[{', /.+/],
      ['/api/v2/alerts', '{"labels": 1}', /.+/],
      ['/api/v2/alerts', '[{"labels": {}}]', /label/],
      ['/api/v2/silences', silence('x').replace('"value":"b"', '"value":"("'), /regexp|matcher/],
    ] as const) {
      const answer = await member?.post(target, body, json);
      expect(answer?.status, `${target} ${body}: ${answer?.text}`).toBe(400);
      expect(answer?.text).toMatch(says);
    }
    const filtered = await member?.get('/api/v2/alerts?filter=a%3D%7E%22(%22');
    expect(filtered?.status).toBe(400);
    expect(await memberCounts()).toEqual([2, 2]);
  });
});

/** B listens on the second loopback address where there is one. */
function gossipHost(index: number): string {
  return `127.0.0.${index + 1}`;
}

function silence(comment: string): string {
  return JSON.stringify({
    matchers: [{ name: 'a', value: 'b', isRegex: true }],
    startsAt: new Date(Date.now()).toISOString(),
    endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    createdBy: 'test',
    comment,
  });
}

function writeRequest(name: string, value: number): Uint8Array {
  const values = Float64Array.of(value);
  const words = new Uint32Array(values.buffer);
  const encoder = new TimeSeriesEncoder();
  const rows = { timestampsMs: Float64Array.of(Date.now()), words };
  encoder.run(encodeLabels(Labels.from({ __name__: name })), rows, 0, 1);
  return encoder.bytes().slice();
}

/** Sends bytes and gives what comes back until the other side closes. */
function rawAnswer(url: string, bytes: Uint8Array): Promise<string> {
  const { hostname, port } = new URL(url);
  return exchange(hostname, Number(port), bytes);
}

async function sendTcp(host: string, port: number, bytes: Uint8Array): Promise<void> {
  await exchange(host, port, bytes);
}

function exchange(host: string, port: number, bytes: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.end(bytes));
    let answer = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      answer += chunk;
    });
    // A reset is as good an answer to garbage as a close.
    socket.on('error', () => {});
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on('close', () => resolve(answer));
  });
}
