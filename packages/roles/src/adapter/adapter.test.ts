import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { HttpResponse } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { afterEach, describe, expect, it } from 'vitest';
import { type WrittenSeries, writeBody } from '../../../remote/src/testing/write-body.ts';
import { parseFlags } from '../flags/flags.ts';
import { role } from './index.ts';

const env = nodeEnv();
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const AT_MS = 1_700_000_000_123;
const SERIES: readonly WrittenSeries[] = [
  [
    { __name__: 'job:up', path: "/a.b c='(ä", x_y: 'a_b:c' },
    [
      [AT_MS, 1e-9],
      [AT_MS + 1, Number.NaN],
    ],
  ],
  [{ __name__: 'free', path: 'C:\\', ü: '1' }, [[AT_MS, 0.1 + 0.2]]],
];

/** A carbon that keeps what it reads; in the other moods it ends connections as one that is killed, or does not read. */
class Carbon {
  text = '';
  mood: 'read' | 'reset' | 'hang' | 'talk' | 'end' = 'read';
  port = 0;
  readonly #sockets = new Set<Socket>();

  async open(): Promise<this> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      // A reset is part of the tests.
      socket.on('error', () => {});
      if (this.mood === 'reset') socket.resetAndDestroy();
      if (this.mood === 'talk') socket.write('x'.repeat(100_000));
      if (this.mood === 'end') socket.end();
      if (this.mood !== 'read') return;
      socket.on('data', (data) => {
        this.text += data.toString();
      });
      socket.on('end', () => socket.end());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    closing.push(async () => {
      for (const socket of this.#sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    });
    return this;
  }
}

type Asked = {
  readonly target: string;
  readonly authorization: string | undefined;
  readonly body: string;
};

/** An HTTP server that answers as it is told. */
class Backend {
  readonly asked: Asked[] = [];
  answer: HttpResponse = { status: 204 };
  url = '';

  async open(): Promise<this> {
    const at = { host: '127.0.0.1', port: 0 };
    const options = { at, maxConnections: 20, readTimeoutMs: 10_000 };
    const listener = await env.net.serveHttp(options, async (request) => {
      const { target, headers } = request;
      const read = new TextDecoder().decode(await request.body(1_000_000));
      this.asked.push({ target, authorization: headers.authorization, body: read });
      return this.answer;
    });
    this.url = `http://127.0.0.1:${listener.address.port}`;
    closing.push(() => listener.close(0));
    return this;
  }
}

async function start(flags: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  const { values, given } = parseFlags(role.flags, [...flags, '--web.listen-address=127.0.0.1:0']);
  const logged: string[] = [];
  const write = (line: string): void => void logged.push(line);
  const log = new Log({ level: 'info', format: 'logfmt', now: () => 0, write });
  const registry = new Registry();
  const context = { env, log, registry, lock: () => () => {}, variables, hostname: 'h' };
  const running = await role.start(context, values, given);
  closing.push(() => running.close());
  const base = `http://127.0.0.1:${running.address?.port}`;
  const post = async (path: string, body: Uint8Array<ArrayBuffer>) => {
    const answer = await fetch(base + path, { method: 'POST', body });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const metric = (line: string): string | undefined =>
    renderText(registry.gather())
      .split('\n')
      .find((one) => one.startsWith(`${line} `))
      ?.slice(line.length + 1);
  return {
    base,
    logged,
    post,
    metric,
    write: (series = SERIES) => post('/write', writeBody(series)),
  };
}

describe('the adapter', () => {
  it('writes to Graphite with all digits, in paths that Graphite takes', async () => {
    const carbon = await new Carbon().open();
    const adapter = await start([
      `--graphite-address=127.0.0.1:${carbon.port}`,
      '--graphite-prefix=prom.',
    ]);
    expect((await adapter.write()).status).toBe(204);
    expect(carbon.text).toBe(
      [
        "prom.job:up.path.%2Fa%2Eb%20c%3D\\'\\(%C3%A4.x_y.a_b:c 1e-9 1700000000.123\n",
        'prom.free.path.C:\\\\.%C3%BC.1 0.30000000000000004 1700000000.123\n',
      ].join(''),
    );
    expect(adapter.metric('received_samples_total')).toBe('3');
    expect(adapter.metric('sent_samples_total{remote="graphite"}')).toBe('2');
    const leftOut = 'pollux_adapter_left_out_samples_total{remote="graphite",reason="value"}';
    expect(adapter.metric(leftOut)).toBe('1');
  });

  it.each(['reset', 'hang', 'talk'] as const)(
    'has samples sent again to a carbon whose mood is to %s',
    async (mood) => {
      const carbon = await new Carbon().open();
      const flags = [`--graphite-address=127.0.0.1:${carbon.port}`, '--send-timeout=300ms'];
      const adapter = await start(flags);
      carbon.mood = mood;
      const refused = await adapter.write();
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
      expect(adapter.metric('failed_samples_total{remote="graphite"}')).toBe('2');
      expect(adapter.metric('sent_samples_total{remote="graphite"}')).toBeUndefined();
      carbon.mood = 'read';
      expect((await adapter.write()).status).toBe(204);
      expect(carbon.text.split('\n')).toHaveLength(3);
    },
  );

  it('has samples sent again to a carbon that ends the connection before it has read all', async () => {
    const carbon = await new Carbon().open();
    carbon.mood = 'end';
    const adapter = await start([`--graphite-address=127.0.0.1:${carbon.port}`]);
    const samples = Array.from({ length: 2_000 }, (_, i) => [AT_MS + i, i] as const);
    // More than sockets hold by themselves.
    const { status } = await adapter.write([[{ __name__: 'm', l: 'x'.repeat(10_000) }, samples]]);
    expect(status).toBe(503);
  });

  it('writes to OpenTSDB with milliseconds, and escapes what it does not know', async () => {
    const backend = await new Backend().open();
    const adapter = await start([`--opentsdb-url=${backend.url}/ignored`]);
    expect((await adapter.write()).status).toBe(204);
    expect(backend.asked[0]?.target).toBe('/api/put');
    expect(JSON.parse(backend.asked[0]?.body ?? '')).toEqual([
      {
        metric: 'job_.up',
        tags: { path: '/a.b_20c_3D_27_28_C3_A4', x_y: 'a__b_.c' },
        timestamp: AT_MS,
        value: 1e-9,
      },
      {
        metric: 'free',
        tags: { path: 'C_._5C', _C3_BC: '1' },
        timestamp: AT_MS,
        value: 0.1 + 0.2,
      },
    ]);
  });

  it('writes lines to a database of InfluxDB, without labels that lines cannot say', async () => {
    const backend = await new Backend().open();
    const flags = [
      `--influxdb-url=${backend.url}`,
      '--influxdb.username=eve',
      '--influxdb.database=d',
    ];
    const adapter = await start(flags, { INFLUXDB_PW: 'geheim' });
    expect((await adapter.write()).status).toBe(204);
    expect(backend.asked).toEqual([
      {
        target: '/write?db=d&rp=autogen&precision=ms',
        authorization: `Basic ${Buffer.from('eve:geheim').toString('base64')}`,
        body: `job:up,path=/a.b\\ c\\='(ä,x_y=a_b:c value=1e-9 ${AT_MS}\n`,
      },
    ]);
    const leftOut = (reason: string): string =>
      `pollux_adapter_left_out_samples_total{remote="influxdb",reason="${reason}"}`;
    expect(adapter.metric(leftOut('labels'))).toBe('1');
    expect(adapter.metric('prometheus_influxdb_ignored_samples_total')).toBe('1');
  });

  it('writes to a bucket and reads it, with a token', async () => {
    const backend = await new Backend().open();
    const flags = [`--influxdb-url=${backend.url}/in/`, '--influxdb.bucket=b/rp'];
    const adapter = await start([...flags, '--influxdb.organization=o'], {
      INFLUXDB_AUTH_TOKEN: 'geheim',
    });
    await adapter.write([SERIES[0]!]);
    expect(backend.asked[0]).toMatchObject({
      target: '/in/api/v2/write?bucket=b%2Frp&org=o&precision=ms',
      authorization: 'Token geheim',
    });
    await expect(start([...flags, '--influxdb.database=d'])).rejects.toThrow(
      'a database and a bucket exclude each other',
    );
  });

  it.each([
    [400, '{"error":"partial write: points beyond retention policy dropped=1"}', 400],
    [401, '{"error":"authorization failed"}', 503],
    [404, '{"error":"database not found: \\"d\\""}', 503],
    [413, 'Request Entity Too Large', 400],
    [500, '{"error":"timeout"}', 503],
    [503, 'soon', 503],
  ])('answers for an InfluxDB that says %i %s with %i', async (status, body, expected) => {
    const backend = await new Backend().open();
    const adapter = await start([`--influxdb-url=${backend.url}`]);
    backend.answer = { status, body };
    const answer = await adapter.write();
    expect(answer.status).toBe(expected);
    expect(answer.text).toContain(body);
    expect(answer.headers.has('retry-after')).toBe(expected === 503);
    expect(adapter.metric('failed_samples_total{remote="influxdb"}')).toBe('1');
  });

  it('has all sent again where one of several storages cannot be reached, and says which', async () => {
    const backend = await new Backend().open();
    const carbon = await new Carbon().open();
    carbon.mood = 'reset';
    const flags = [`--influxdb-url=${backend.url}`, `--graphite-address=127.0.0.1:${carbon.port}`];
    const adapter = await start(flags);
    backend.answer = { status: 400, body: 'field type conflict' };
    expect((await adapter.write()).status).toBe(503);
    expect(adapter.logged.filter((line) => line.includes('samples could not be sent'))).toEqual(
      [
        expect.stringContaining('storage=influxdb'),
        expect.stringContaining('storage=graphite'),
      ].reverse(),
    );
  });

  it('answers 400 for what is no request, which Prometheus does not send again', async () => {
    const backend = await new Backend().open();
    const adapter = await start([`--opentsdb-url=${backend.url}`]);
    expect((await adapter.post('/write', new Uint8Array([1, 2, 3]))).status).toBe(400);
    expect(backend.asked).toEqual([]);
  });

  it('has its own pages, and one reader or none', async () => {
    const backend = await new Backend().open();
    const adapter = await start([`--opentsdb-url=${backend.url}`, '--web.telemetry-path=/own']);
    expect(await (await fetch(`${adapter.base}/-/healthy`)).text()).toBe('Adapter is Healthy.\n');
    expect(await (await fetch(`${adapter.base}/own`)).text()).toContain('received_samples_total 0');
    const read = await adapter.post('/read', writeBody([]));
    expect([read.status, read.text]).toEqual([
      500,
      'expected exactly one reader, found 0 readers\n',
    ]);
  });

  it('does not start where samples have nowhere to go, or an address is none', async () => {
    await expect(start([])).rejects.toThrow('samples have nowhere to go');
    await expect(start(['--influxdb-url=influx:8086'])).rejects.toThrow('write http://host:port');
  });

  it('shows no password of an address', async () => {
    const backend = await new Backend().open();
    const url = backend.url.replace('//', '//eve:geheim@');
    const adapter = await start([`--influxdb-url=${url}`, `--opentsdb-url=${url}`]);
    backend.answer = { status: 500, body: 'broken' };
    const { text } = await adapter.write();
    expect(backend.asked.map(({ authorization }) => authorization)).toEqual(
      Array(2).fill(`Basic ${Buffer.from('eve:geheim').toString('base64')}`),
    );
    const metrics = await (await fetch(`${adapter.base}/metrics`)).text();
    expect(text + metrics + adapter.logged.join('\n')).not.toContain('geheim');
  });
});
