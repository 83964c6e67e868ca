import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HOSTS, type HostName } from '@pollux/roles/up';
import type { Alarm } from './record.ts';

export const TARGETS = ['chaos-0', 'chaos-1', 'chaos-2'] as const;
/** Of the histogram: how many observations a second fall below each bound. Its median is 0.55. */
const BUCKETS = [
  ['0.1', 1],
  ['1', 3],
  ['+Inf', 4],
] as const;
export const MEDIAN = 0.55;
/** The gauge is the rest of the time by so many seconds. */
export const WAVE_SECONDS = 60;
/** Series of one target, the alarms left out. */
export const NAMES = [
  'chaos_seconds_bucket',
  'chaos_seconds_count',
  'chaos_seconds_sum',
  'chaos_time_seconds',
  'chaos_wave',
] as const;

/**
 * What is monitored: pure functions of the time of the scrape. Each replica scrapes through a port of its own, so that the link of
 * one can be cut, and every scrape that was answered is written down.
 */
export class Targets {
  readonly scrapes: Readonly<Record<HostName, number[]>> = { A: [], B: [] };
  readonly #servers = new Map<HostName, Server>();
  readonly #cut = new Set<HostName>();
  #alarms: readonly Alarm[] = [];
  #address = '';

  /** From now on these alarms are exposed; their times are the wall clock's. */
  set alarms(alarms: readonly Alarm[]) {
    this.#alarms = alarms;
  }

  /** `address` is where the hosts find what is monitored. */
  async start(address: string): Promise<void> {
    this.#address = address;
    for (const host of HOSTS) {
      const server = createServer((request, response) => {
        const name = (request.url ?? '').slice(1);
        if (this.#cut.has(host)) {
          request.socket.destroy();
          return;
        }
        const nowMs = Date.now();
        if (name === TARGETS[0]) this.scrapes[host].push(nowMs);
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
        response.end(exposition(name, nowMs, this.#alarms));
      });
      await new Promise<void>((resolve) => server.listen(0, address, resolve));
      this.#servers.set(host, server);
    }
  }

  address(host: HostName): string {
    const bound = this.#servers.get(host)?.address();
    if (bound === null || bound === undefined) throw new RangeError('the targets are not started');
    return `${this.#address}:${(bound as AddressInfo).port}`;
  }

  cut(host: HostName): void {
    this.#cut.add(host);
    this.#servers.get(host)?.closeAllConnections();
  }

  mend(host: HostName): void {
    this.#cut.delete(host);
  }

  async close(): Promise<void> {
    for (const server of this.#servers.values()) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
}

function exposition(target: string, nowMs: number, alarms: readonly Alarm[]): string {
  const seconds = nowMs / 1_000;
  const lines = [
    '# TYPE chaos_time_seconds counter',
    `chaos_time_seconds ${seconds}`,
    '# TYPE chaos_wave gauge',
    `chaos_wave ${seconds % WAVE_SECONDS}`,
    '# TYPE chaos_seconds histogram',
    ...BUCKETS.map(([bound, each]) => `chaos_seconds_bucket{le="${bound}"} ${seconds * each}`),
    `chaos_seconds_sum ${seconds * 2}`,
    `chaos_seconds_count ${seconds * 4}`,
  ];
  if (target === TARGETS[0]) {
    lines.push('# TYPE chaos_alarm gauge');
    for (const { id, riseMs, fallMs } of alarms)
      lines.push(`chaos_alarm{id="${id}"} ${nowMs >= riseMs && nowMs < fallMs ? 1 : 0}`);
  }
  return `${lines.join('\n')}\n`;
}
