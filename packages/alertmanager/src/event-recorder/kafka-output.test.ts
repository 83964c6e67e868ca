import { readFileSync } from 'node:fs';
import { decompress, init } from '@bokuweb/zstd-wasm';
import { VirtualClock } from '@pollux/base';
import { NodeFiles, NodeWorkers } from '@pollux/base/node';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../config/config.ts';
import { KafkaBroker } from '../testing/kafka-broker.ts';
import { EventLine } from './event-line.ts';
import { KafkaOutput, type KafkaOutputOptions } from './kafka-output.ts';
import { RecorderMetrics } from './outputs.ts';

const GRACE_MS = 30_000;
const testdata = (name: string): string =>
  readFileSync(new URL(`../../../base/testdata/${name}`, import.meta.url), 'utf8');

const brokers: KafkaBroker[] = [];
const worlds: World[] = [];

// Once: a second call takes away what the first has set up.
beforeAll(() => init());

afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
  for (const broker of brokers.splice(0)) await broker.close();
});

/** An output over a virtual clock, a real thread and real sockets. */
class World {
  readonly clock = new VirtualClock(0);
  readonly registry = new Registry();
  readonly output: KafkaOutput;
  readonly logged: string[] = [];
  readonly #heard = new Set<() => void>();

  constructor(port: number, more = '', tls: KafkaOutputOptions['tls'] = () => null) {
    const block = `{brokers: ['127.0.0.1:${port}'], topic: events${more}}`;
    const { eventRecorder } = readConfig(
      `route: {receiver: r}\nreceivers: [{name: r}]\nevent_recorder: {kafka_outputs: [${block}]}`,
      { file: 'am.yml', beside: null },
    );
    const log = new Log({
      level: 'info',
      format: 'logfmt',
      now: () => this.clock.now(),
      write: (line) => {
        this.logged.push(line);
        for (const hear of this.#heard) hear();
      },
    });
    const metrics = new RecorderMetrics(this.registry, () => 0);
    const context = { clock: this.clock, files: new NodeFiles(), log, metrics, print: () => {} };
    const options = { workers: new NodeWorkers(), instance: 'am-1', tls };
    this.output = new KafkaOutput(eventRecorder!.kafka_outputs[0]!, context, options);
    worlds.push(this);
  }

  /** Resolves when the log has such a line. */
  told(text: string, times = 1): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.logged.filter((line) => line.includes(text)).length < times) return;
        this.#heard.delete(look);
        resolve();
      };
      this.#heard.add(look);
      look();
    });
  }

  metric(name: string): number {
    const lines = renderText(this.registry.gather()).split('\n');
    const own = lines.filter((line) => line.startsWith(`alertmanager_event_${name}{`));
    return own.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  async close(): Promise<void> {
    const closing = this.output.close(GRACE_MS);
    await this.clock.advance(GRACE_MS);
    await closing;
  }
}

async function broker(port = 0): Promise<KafkaBroker> {
  const started = await KafkaBroker.start(port);
  brokers.push(started);
  return started;
}

function lines(count: number, from = 0): EventLine[] {
  return Array.from({ length: count }, (_, n) => new EventLine('x', { n: from + n }));
}

function valuesOf({ records }: KafkaBroker): string[] {
  return records.map(({ value }) => value);
}

const jsonOf = (events: readonly EventLine[]): string[] => events.map(({ json }) => json);

/** Threads load their sources and a library; on a busy machine that takes long. */
describe('events to Kafka', { timeout: 60_000 }, () => {
  it('come to their topic in order, in one partition, by the key of the instance', async () => {
    const kafka = await broker();
    const { output, logged } = new World(kafka.port);
    output.write(lines(300));
    output.write(lines(3, 300));
    await kafka.until(() => kafka.records.length === 303);
    expect(valuesOf(kafka)).toEqual(jsonOf(lines(303)));
    const { value: _, bytes: _bytes, ...first } = kafka.records[0]!;
    // Computed apart: murmur2 of the key without its highest bit, modulo three. With that bit it is 0.
    expect(first).toEqual({
      topic: 'events',
      partition: 1,
      key: 'am-1',
      acks: 1,
      clientId: 'alertmanager',
    });
    expect(new Set(kafka.records.map(({ partition }) => partition)).size).toBe(1);
    expect(kafka.requests).toEqual([256, 47]);
    expect([kafka.connections, kafka.faults, logged]).toEqual([1, [], []]);
  });

  it.each([
    ['none', 0],
    ['all', -1],
  ])('ask for acks: %s, compressed, by their own name', async (acks, code) => {
    const kafka = await broker();
    const { output } = new World(kafka.port, `, acks: ${acks}, compression: gzip, client_id: me`);
    output.write(lines(5));
    await kafka.until(() => kafka.records.length === 5);
    expect(valuesOf(kafka)).toEqual(jsonOf(lines(5)));
    expect(kafka.records[0]).toMatchObject({ acks: code, clientId: 'me' });
    expect(kafka.faults).toEqual([]);
  });

  it.each([
    ['gzip', 1],
    ['zstd', 4],
  ] as const)('are compressed with %s', async (compression, number) => {
    const kafka = await broker();
    kafka.unpack[4] = (data) => Buffer.from(decompress(data));
    const { output } = new World(kafka.port, `, compression: ${compression}`);
    output.write(lines(300));
    await kafka.until(() => kafka.records.length === 300);
    expect(valuesOf(kafka)).toEqual(jsonOf(lines(300)));
    expect([kafka.compressions, kafka.faults]).toEqual([new Set([number]), []]);
  });

  it('are protobuf where the block says so, which the metric of bytes counts', async () => {
    const kafka = await broker();
    const { output } = new World(kafka.port, ', format: protobuf, compression: zstd');
    const events = lines(3).map((_, n) => new EventLine('x', { instance: `${n}` }));
    kafka.unpack[4] = (data) => Buffer.from(decompress(data));
    output.write(events);
    await kafka.until(() => kafka.records.length === 3);
    // The second field, of one byte.
    expect(kafka.records.map(({ bytes }) => [...bytes])).toEqual(
      [0, 1, 2].map((n) => [18, 1, 48 + n]),
    );
    expect(events[0]?.sizeBytes(output.format)).toBe(3);
  });

  it('wait for a broker that is not there yet, as many as the buffer holds', async () => {
    const gone = await broker();
    const { port } = gone;
    await gone.close();
    const world = new World(port, ', buffer_size: 10');
    world.output.write(lines(4));
    await world.told('attempt=1');
    await world.clock.advance(500);
    await world.told('attempt=2');
    world.output.write(lines(10, 4));
    world.output.write(lines(1));
    expect(world.metric('output_drops_total')).toBe(5);
    expect(world.logged.filter((line) => line.includes('the buffer is full'))).toHaveLength(1);
    const kafka = await broker(port);
    await world.clock.advance(1_000);
    await kafka.until(() => kafka.records.length === 10);
    expect(valuesOf(kafka)).toEqual(jsonOf(lines(10)));
    expect(world.metric('kafka_produce_errors_total')).toBe(2);
    expect(renderText(world.registry.gather())).toContain('error_type="network"} 2\n');
  });

  it('do not wait for ever for a broker that says nothing', async () => {
    const kafka = await broker();
    kafka.mood = 'hang';
    const world = new World(kafka.port);
    world.output.write(lines(2));
    await kafka.until(() => kafka.connections === 1);
    await world.clock.advance(30_000);
    await world.told('no answer in 30000 ms');
    kafka.mood = 'serve';
    await world.clock.advance(500);
    await kafka.until(() => kafka.records.length === 2);
    expect(renderText(world.registry.gather())).toContain('error_type="timeout"} 1\n');
  });

  it.each([
    ['reset', 'Connection closed'],
    // Thrown where nobody catches it: it has ended the thread.
    ['garbage', 'the worker KAFKA_PRODUCER ended'],
  ] as const)('survive a broker whose mood is %s', async (mood, reason) => {
    const kafka = await broker();
    const world = new World(kafka.port);
    world.output.write(lines(2));
    await kafka.until(() => kafka.records.length === 2);
    kafka.mood = mood;
    world.output.write(lines(2, 2));
    await world.told('attempt=1');
    expect(world.logged.join('\n')).toContain(reason);
    kafka.mood = 'serve';
    await world.clock.advance(500);
    await kafka.until(() => kafka.records.length === 4);
    expect(valuesOf(kafka)).toEqual(jsonOf(lines(4)));
  });

  it('are given up one by one where a broker refuses them for themselves', async () => {
    const kafka = await broker();
    kafka.judge = (values) => (values.includes('{"n":5}') ? 10 : 0);
    const world = new World(kafka.port);
    world.output.write(lines(8));
    await kafka.until(() => kafka.records.length === 7);
    expect(valuesOf(kafka)).toEqual(jsonOf(lines(8).filter(({ json }) => json !== '{"n":5}')));
    expect(world.metric('output_drops_total')).toBe(1);
    expect(renderText(world.registry.gather())).toContain('error_type="broker"');
  });

  it('are all delivered by an end, when a broker is there', async () => {
    const kafka = await broker();
    const { output } = new World(kafka.port);
    output.write(lines(1_000));
    await output.close(GRACE_MS);
    expect(valuesOf(kafka)).toEqual(jsonOf(lines(1_000)));
    await kafka.until(() => kafka.openConnections === 0);
  });

  it('are lost and counted at the end of the grace, when none is', async () => {
    const kafka = await broker();
    kafka.mood = 'hang';
    const world = new World(kafka.port);
    world.output.write(lines(3));
    await kafka.until(() => kafka.connections === 1);
    const closing = world.output.close(2_000);
    await world.clock.advance(2_000);
    await closing;
    expect(world.metric('output_drops_total')).toBe(3);
    // The thread is ended too.
    await kafka.until(() => kafka.openConnections === 0);
  });

  it('go over TLS, with the certificate of the client, to a broker that can be trusted', async () => {
    const [certificate, key] = [testdata('localhost.crt'), testdata('localhost.key')];
    const tls = { cert: certificate, key, ca: certificate, requestCert: true };
    const kafka = await KafkaBroker.start(0, tls);
    brokers.push(kafka);
    const stranger = new World(kafka.port, '', () => ({}));
    stranger.output.write(lines(1));
    await stranger.told('self-signed certificate');
    const { output, logged } = new World(kafka.port, '', () => ({
      ca: certificate,
      certificate,
      key,
      serverName: 'localhost',
    }));
    output.write(lines(2));
    await kafka.until(() => kafka.records.length > 0);
    expect(valuesOf(kafka)).toEqual(jsonOf(lines(2)));
    expect(logged).toEqual([]);
  });

  it('show no secret, and wait where a file of TLS cannot be read', async () => {
    const kafka = await broker();
    let isThere = false;
    const world = new World(kafka.port, '', () => {
      if (isThere) return null;
      throw new Error('ca.pem is not there');
    });
    world.output.write(lines(1));
    await world.told('ca.pem is not there');
    isThere = true;
    await world.clock.advance(500);
    await kafka.until(() => kafka.records.length === 1);
    const secret = { ca: 'geheim', certificate: 'geheim', key: 'geheim' };
    const broken = new World(kafka.port, '', () => secret);
    broken.output.write(lines(1));
    await broken.told('attempt=1');
    expect(broken.logged.join('\n') + renderText(broken.registry.gather())).not.toContain('geheim');
  });
});
