import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, RunningRole, Scratch } from './running-role.ts';

/** A flush of these routes is given up after this long: the least that one has. */
const FLUSH_MS = 10_000;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** What receivers do to a sender. Each is a server of its own, so that none borrows another's sockets. */
const TROUBLES: Readonly<Record<string, Answer>> = {
  hangs: () => {},
  drips: (_, response) => {
    response.writeHead(200);
    const drop = setInterval(() => response.write('.'), 1_000);
    response.on('close', () => clearInterval(drop));
  },
  redirects: (request, response) => {
    response.writeHead(302, { location: `http://${request.headers.host}/again` });
    response.end();
  },
  resets: (request) => {
    request.socket.destroy();
  },
  floods: (_, response) => {
    response.writeHead(200);
    const chunk = Buffer.alloc(64 * 1024, 0x61);
    const pour = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', pour);
    pour();
  },
};

class Receiver {
  readonly bodies: string[] = [];
  requests = 0;
  readonly #server: Server;

  constructor(answer: Answer) {
    this.#server = createServer((request, response) => {
      this.requests++;
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.bodies.push(Buffer.concat(chunks).toString());
        answer(request, response);
      });
      // A client that hangs up on us is what is expected here.
      response.on('error', () => {});
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

describe('an alertmanager with receivers in every trouble', () => {
  const scratch = new Scratch();
  const good = new Receiver((_, response) => {
    response.end();
  });
  const bad = new Map(
    Object.entries(TROUBLES).map(([name, answer]) => [name, new Receiver(answer)]),
  );
  let manager: RunningRole;

  beforeAll(async () => {
    const names = [...bad.keys()];
    const urls = await Promise.all([...bad.values()].map((receiver) => receiver.start()));
    const settings = 'group_by: [alertname], group_wait: 100ms, group_interval: 1s';
    const file = scratch.file(
      'troubles.yml',
      [
        'route:',
        '  receiver: good',
        '  routes:',
        ...[...names, 'good'].map(
          (name) =>
            `    - {receiver: ${name}, matchers: [severity=page], continue: true, ${settings}}`,
        ),
        'receivers:',
        `  - {name: good, webhook_configs: [{url: '${await good.start()}'}]}`,
        ...names.map((name, at) => `  - {name: ${name}, webhook_configs: [{url: '${urls[at]}'}]}`),
        '',
      ].join('\n'),
    );
    manager = await RunningRole.start([
      'alertmanager',
      `--config.file=${file}`,
      `--storage.path=${scratch.at('troubles')}`,
      '--cluster.listen-address=',
      '--web.listen-address=127.0.0.1:0',
    ]);
  });
  afterAll(async () => {
    await manager?.end();
    good.close();
    for (const receiver of bad.values()) receiver.close();
    scratch.remove();
  });

  const fire = (alertname: string) =>
    manager.post(
      '/api/v2/alerts',
      JSON.stringify([{ labels: { alertname, severity: 'page' }, annotations: { why: 'a test' } }]),
      { 'content-type': 'application/json' },
    );
  const isTold = (alertname: string): boolean =>
    good.bodies.some((body) => body.includes(`"alertname":"${alertname}"`));

  it('tells the one that is well in time, all the while', async () => {
    for (const alertname of ['First', 'Second', 'Third']) {
      expect((await fire(alertname)).status).toBe(200);
      await eventually(`${alertname} is told`, 3_000, async () =>
        isTold(alertname) ? true : null,
      );
    }
    for (const [name, receiver] of bad) expect(receiver.requests, name).toBeGreaterThan(0);
  });

  it('gives up each of the others in its time, logged and counted, and goes on', async () => {
    const failed = await eventually('all are given up', FLUSH_MS + 15_000, async () => {
      const told = [...bad.keys()].filter((name) =>
        manager.log
          .split('\n')
          .some((line) => line.includes('Notify failed') && line.includes(`receiver=${name}`)),
      );
      return told.length === bad.size ? told : null;
    });
    expect(failed).toEqual(Object.keys(TROUBLES));
    const { text } = await manager.get('/metrics');
    const counts = text
      .split('\n')
      .filter((line) => line.startsWith('alertmanager_notifications_failed_total{'))
      .filter((line) => line.includes('integration="webhook"'))
      .map((line) => Number(line.split(' ').at(-1)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(bad.size);
    // What an endless body costs is bounded.
    const bytes = await manager.metric('process_resident_memory_bytes');
    expect(bytes).toBeLessThan(400 * 1024 * 1024);
    await fire('Last');
    await eventually('Last is told', 3_000, async () => (isTold('Last') ? true : null));
    expect(manager.isRunning).toBe(true);
  });
});

describe('an alertmanager that is sent too much', () => {
  const scratch = new Scratch();
  let manager: RunningRole;

  beforeAll(async () => {
    const file = scratch.file('plain.yml', 'route: {receiver: a}\nreceivers: [{name: a}]\n');
    manager = await RunningRole.start([
      'alertmanager',
      `--config.file=${file}`,
      `--storage.path=${scratch.at('plain')}`,
      '--cluster.listen-address=',
      '--web.listen-address=127.0.0.1:0',
    ]);
  });
  afterAll(async () => {
    await manager?.end();
    scratch.remove();
  });

  const post = (body: string) =>
    manager.post('/api/v2/alerts', body, { 'content-type': 'application/json' });

  it('takes 10 MB of alerts, refuses what is beyond its limit by name, and goes on', async () => {
    const alerts = Array.from({ length: 10_000 }, (_, index) => ({
      labels: { alertname: 'Many', index: String(index) },
      annotations: { text: 'x'.repeat(1_000) },
    }));
    const body = JSON.stringify(alerts);
    expect(body.length).toBeGreaterThan(10 * 1024 * 1024);
    expect((await post(body)).status).toBe(200);
    expect(
      await manager.metric('alertmanager_alerts_received_total{status="firing",version="v2"}'),
    ).toBe(10_000);
    const beyond = await post(`[${' '.repeat(40 * 1024 * 1024)}]`);
    expect(beyond.status).toBe(413);
    expect(beyond.text).toMatch(/limit/);
    expect((await manager.get('/-/ready')).status).toBe(200);
  });

  it('answers an alert of a million labels, deep nesting and bad labels, and goes on', async () => {
    const labels = Array.from({ length: 1_000_000 }, (_, index) => `"l${index}":"v"`).join();
    const million = await post(`[{"labels":{"alertname":"Wide",${labels}}}]`);
    expect(million.status).toBe(400);
    expect(million.text).toContain('an alert may have 10000 labels');
    const deep = await post(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    expect(deep.status).toBe(400);
    const bad = await post('[{"labels":{"":"x"}},{"labels":{"alertname":"Fine"}},{"labels":{}}]');
    expect(bad.status).toBe(400);
    const { text } = await manager.get('/api/v2/alerts?filter=alertname%3DFine');
    expect(JSON.parse(text)).toHaveLength(1);
    expect((await manager.get('/-/ready')).status).toBe(200);
  });
});
