import { errorText, type Net, OperatingError, type UdpSocket } from '@pollux/base';
import type { PointColumns } from '@pollux/storage';
import type { Counter, Log, Registry } from '@pollux/telemetry';
import { formatLines } from '../line-protocol/format.ts';
import type { MetaStore } from '../meta/meta-store.ts';
import type { Subscription } from '../meta/retention-policy.ts';

export type SubscriptionsOptions = {
  readonly net: Net;
  readonly log: Log;
  readonly registry: Registry;
  readonly meta: MetaStore;
  readonly isEnabled: boolean;
  readonly httpTimeoutMs: number;
  readonly skipsVerification: boolean;
  /** Batches that may wait for a subscription. */
  readonly maxWaiting: number;
};

/** Batches of this size together may wait for a subscription, whatever their number. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** Fits one frame of Ethernet; a longer line is a datagram of its own. */
const DATAGRAM_BYTES = 1_400;

type Batch = { readonly lines: readonly string[]; readonly bytes: number };
type Queue = { readonly batches: Batch[]; bytes: number; next: number };
type Place = { readonly database: string; readonly policy: string };

/**
 * Sends what was written to a retention policy to the destinations of its subscriptions, in the order of the writes. A batch is sent
 * once, as by influxd: what a destination does not take, or what does not fit the queue, is dropped and counted. Writers do not wait.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #stop = new AbortController();
  readonly #queues = new Map<string, Queue>();
  readonly #running = new Set<Promise<void>>();
  readonly #sockets: { four?: UdpSocket; six?: UdpSocket } = {};
  readonly #written: Counter;
  readonly #failures: Counter;
  readonly #dropped: Counter;

  constructor(options: SubscriptionsOptions) {
    const { registry } = options;
    this.#options = options;
    this.#written = registry.counter(
      'influxdb_subscriber_points_written_total',
      'Points that destinations of subscriptions took.',
    );
    this.#failures = registry.counter(
      'influxdb_subscriber_write_failures_total',
      'Batches that a destination of a subscription did not take.',
    );
    this.#dropped = registry.counter(
      'influxdb_subscriber_dropped_batches_total',
      'Batches for subscriptions that found the queue full.',
    );
    registry.gaugeFrom('influxdb_subscriber_waiting_bytes', 'Waiting for subscriptions.', () => {
      let bytes = 0;
      for (const queue of this.#queues.values()) bytes += queue.bytes;
      return bytes;
    });
  }

  /** For SHOW STATS. */
  get counts(): Readonly<Record<'createFailures' | 'pointsWritten' | 'writeFailures', number>> {
    return {
      createFailures: 0,
      pointsWritten: this.#written.value,
      writeFailures: this.#failures.value,
    };
  }

  /** Returns at once; the batch is not looked at later. */
  publish(database: string, policy: string, batch: PointColumns): void {
    const { isEnabled, meta, maxWaiting } = this.#options;
    if (!isEnabled || this.#stop.signal.aborted) return;
    const known = meta.database(database)?.policies.find(({ name }) => name === policy);
    if (known === undefined || known.subscriptions.length === 0) return;
    const lines = formatLines(batch);
    if (lines.length === 0) return;
    const bytes = lines.reduce((sum, line) => sum + line.length + 1, 0);
    for (const subscription of known.subscriptions) {
      const key = `${database}\ud800${policy}\ud800${subscription.name}`;
      const queue = this.#queues.get(key) ?? { batches: [], bytes: 0, next: 0 };
      if (queue.batches.length >= maxWaiting || queue.bytes + bytes > MAX_WAITING_BYTES) {
        this.#dropped.inc();
        continue;
      }
      queue.batches.push({ lines, bytes });
      queue.bytes += bytes;
      if (this.#queues.has(key)) continue;
      this.#queues.set(key, queue);
      const drained = this.#drain(key, subscription, { database, policy }).finally(() => {
        this.#running.delete(drained);
      });
      this.#running.add(drained);
    }
  }

  /** Cuts what is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
    for (const socket of Object.values(this.#sockets)) await socket.close();
  }

  /** Sends until the queue is empty, and forgets the queue in the same moment. */
  async #drain(key: string, subscription: Subscription, place: Place): Promise<void> {
    const { destinations, mode } = subscription;
    const queue = this.#queues.get(key);
    if (queue === undefined) return;
    for (let batch = queue.batches[0]; batch !== undefined; batch = queue.batches[0]) {
      if (this.#stop.signal.aborted) return;
      if (mode === 'ALL') {
        for (const destination of destinations) await this.#send(destination, batch, place);
      } else {
        // Each batch begins at the next destination; the others are asked in turn when that one fails.
        for (let i = 0; i < destinations.length; i++) {
          const destination = destinations[queue.next++ % destinations.length]!;
          if (await this.#send(destination, batch, place)) break;
        }
      }
      queue.batches.shift();
      queue.bytes -= batch.bytes;
    }
    this.#queues.delete(key);
  }

  /** False when the destination did not take it. */
  async #send(destination: string, batch: Batch, place: Place): Promise<boolean> {
    try {
      const url = new URL(destination);
      if (url.protocol === 'udp:') await this.#sendDatagrams(url, batch.lines);
      else await this.#post(url, batch.lines, place);
      this.#written.inc(batch.lines.length);
      return true;
    } catch (error) {
      if (this.#stop.signal.aborted) return false;
      this.#failures.inc();
      this.#options.log.warn('a subscription was not served', {
        destination: shown(destination),
        error: errorText(error),
      });
      return false;
    }
  }

  async #post(url: URL, lines: readonly string[], place: Place): Promise<void> {
    const { net, httpTimeoutMs, skipsVerification } = this.#options;
    const query = new URLSearchParams({
      consistency: '',
      db: place.database,
      precision: 'ns',
      rp: place.policy,
    });
    const user = decodeURIComponent(url.username);
    const credentials = Buffer.from(`${user}:${decodeURIComponent(url.password)}`);
    const answer = await net.request({
      method: 'POST',
      url: `${url.protocol}//${url.host}/write?${query}`,
      headers: {
        'content-type': '',
        'user-agent': 'InfluxDBClient',
        ...(user === '' ? {} : { authorization: `Basic ${credentials.toString('base64')}` }),
      },
      body: `${lines.join('\n')}\n`,
      timeoutMs: httpTimeoutMs,
      signal: this.#stop.signal,
      ...(url.protocol === 'https:' ? { tls: { insecureSkipVerify: skipsVerification } } : {}),
    });
    if (answer.status >= 300)
      throw new OperatingError('INFLUX.SUBSCRIPTION', `it answered status ${answer.status}`);
  }

  async #sendDatagrams(url: URL, lines: readonly string[]): Promise<void> {
    const { net } = this.#options;
    const [host] = await net.resolve(url.hostname.replace(/^\[|\]$/g, ''), this.#stop.signal);
    if (host === undefined)
      throw new OperatingError('INFLUX.SUBSCRIPTION', `no address of ${url.hostname}`);
    const to = { host, port: Number(url.port) };
    const family = host.includes(':') ? 'six' : 'four';
    const own = { host: family === 'six' ? '::' : '0.0.0.0', port: 0 };
    // Kept until the end: a socket that is closed drops what it has not sent.
    const socket = this.#sockets[family] ?? (await net.bindUdp(own, () => {}));
    this.#sockets[family] = socket;
    const encoder = new TextEncoder();
    let packet = '';
    for (const line of lines) {
      if (packet !== '' && packet.length + line.length + 1 > DATAGRAM_BYTES) {
        socket.send(encoder.encode(packet), to);
        packet = '';
      }
      packet += `${line}\n`;
    }
    socket.send(encoder.encode(packet), to);
  }
}

/** Without user and password. */
function shown(destination: string): string {
  return destination.replace(/\/\/[^/@]*@/, '//');
}
