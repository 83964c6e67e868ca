import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EVERYONE, type Files, type HttpResponse, SeededRandom, VirtualClock } from '@pollux/base';
import { NodeFiles, NodeWorkers } from '@pollux/base/node';
import { Router } from '@pollux/http';
import { Log, Registry } from '@pollux/telemetry';
import { Alertmanager } from '../alertmanager.ts';
import { type ClusterPort, NO_CLUSTER } from '../cluster-port.ts';
import { readConfig } from '../config/config.ts';
import type { AlertmanagerOptions } from '../options.ts';
import { type Delivery, FakeNet } from './fake-net.ts';
import { Life } from './life.ts';

/** One Alertmanager over a virtual clock, a fake network and a directory of its own. For tests. */
export class TestNode {
  readonly clock: VirtualClock;
  readonly net: FakeNet;
  readonly registry = new Registry();
  readonly alertmanager: Alertmanager;
  readonly directory: string;
  readonly logged: string[] = [];
  readonly #router: Router;
  readonly #life = new Life();
  #isKilled = false;
  /** Source of `/-/reload`. */
  configText: string;
  /** The file beside it, if there is one. */
  beside: string | null;

  constructor(options: TestNodeOptions) {
    this.clock = options.clock ?? new VirtualClock(START_MS);
    this.net = new FakeNet(this.clock);
    this.directory = options.directory ?? mkdtempSync(join(tmpdir(), 'pollux-am-'));
    this.configText = options.config;
    this.beside = options.beside ?? null;
    this.alertmanager = new Alertmanager({
      env: {
        clock: this.#life.clock(this.clock),
        random: new SeededRandom(options.seed ?? 1),
        files: this.#life.files(options.files ?? new NodeFiles()),
        net: this.net,
        workers: new NodeWorkers(),
      },
      log: new Log({
        level: 'info',
        format: 'logfmt',
        now: () => this.clock.now(),
        write: (line) => this.logged.push(line),
      }),
      registry: this.registry,
      cluster: options.cluster ?? NO_CLUSTER,
      storageDirectory: this.directory,
      externalUrl: 'http://am.example',
      version: '0.1.0',
      reload: async () => this.#reload(),
      ...options.settings,
    });
    this.#router = new Router({ monotonic: () => this.clock.monotonic() });
    this.alertmanager.registerRoutes(this.#router);
    this.applyConfig(options.config);
    this.alertmanager.start();
  }

  #reload(): void {
    try {
      this.applyConfig(this.configText);
    } catch (error) {
      this.alertmanager.noteFailedReload(error);
      throw error;
    }
  }

  applyConfig(text: string): void {
    const beside =
      this.beside === null ? null : { text: this.beside, file: 'alertmanager.pollux.yml' };
    const config = readConfig(text, { file: 'alertmanager.yml', beside });
    this.alertmanager.prepare(config).commit();
  }

  /** Seconds since the start of the world. */
  get seconds(): number {
    return (this.clock.now() - START_MS) / 1000;
  }

  async advance(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000);
  }

  async request(method: string, target: string, body?: unknown): Promise<Answer> {
    const bytes = new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
    const response = await this.#router.handler({
      method,
      target,
      headers: { 'content-type': 'application/json' },
      remote: { host: '127.0.0.1', port: 1 },
      body: async () => bytes,
      stream: async function* () {
        yield bytes;
      },
      signal: new AbortController().signal,
      principal: EVERYONE,
    });
    const text = await wholeText(response.body);
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = null;
    }
    return { status: response.status, text, json };
  }

  /** Posts alerts; `startsIn`/`endsIn` are seconds from now. */
  async fire(...alerts: readonly TestAlert[]): Promise<Answer> {
    return this.request(
      'POST',
      '/api/v2/alerts',
      alerts.map(({ labels, annotations = {}, startsIn, endsIn }) => ({
        labels,
        annotations,
        ...(startsIn === undefined ? {} : { startsAt: this.isoIn(startsIn) }),
        ...(endsIn === undefined ? {} : { endsAt: this.isoIn(endsIn) }),
      })),
    );
  }

  async silence(matchers: readonly string[], seconds: number, startsIn = 0): Promise<string> {
    const answer = await this.request('POST', '/api/v2/silences', {
      matchers: matchers.map((matcher) => {
        const [, name = '', operator = '', value = ''] =
          /^(\w+)(=~|!~|!=|=)(.*)$/.exec(matcher) ?? [];
        return {
          name,
          value,
          isRegex: operator.endsWith('~'),
          isEqual: operator.startsWith('='),
        };
      }),
      startsAt: this.isoIn(startsIn),
      endsAt: this.isoIn(startsIn + seconds),
      createdBy: 'tester',
      comment: 'a test',
    });
    const { silenceID } = answer.json as { silenceID: string };
    return silenceID;
  }

  isoIn(seconds: number): string {
    return new Date(this.clock.now() + seconds * 1000).toISOString();
  }

  /** What was sent so far: second, status and the alert names of each webhook message. */
  get sent(): readonly string[] {
    return this.net.deliveries.map((delivery) => describeDelivery(delivery));
  }

  /** The notifications so far with their outcome, oldest first. */
  async results(): Promise<readonly Outcome[]> {
    const answer = await this.request('GET', '/api/v2/pollux/notifications');
    return (answer.json as Outcome[]).reverse();
  }

  async reasons(): Promise<string[]> {
    return (await this.results()).map(({ reason }) => reason);
  }

  /** A self-metric's value without labels, or with the given ones. */
  metric(name: string, ...labels: readonly string[]): number {
    const family = this.registry.gather().find((candidate) => candidate.name === name);
    const wanted = labels.join();
    const sample = family?.samples.find((one) => wanted === '' || one.labels.join() === wanted);
    return sample?.value ?? Number.NaN;
  }

  /** As by kill -9. What was in memory only is gone; a new node over the same directory finds the rest. */
  kill(): void {
    this.#isKilled = true;
    this.#life.end();
  }

  async close(): Promise<void> {
    if (this.#isKilled) return;
    const closing = this.alertmanager.close();
    await this.clock.advance(3_000);
    await closing;
  }

  removeDirectory(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function wholeText(body: HttpResponse['body']): Promise<string> {
  if (body === undefined || typeof body === 'string') return body ?? '';
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString();
}

export const START_MS = Date.parse('2026-01-05T10:00:00.000Z');

export type Outcome = {
  readonly integration: string;
  readonly reason: string;
  readonly result: string;
};

export type TestNodeOptions = {
  readonly config: string;
  readonly beside?: string;
  readonly clock?: VirtualClock;
  readonly cluster?: ClusterPort;
  readonly directory?: string;
  readonly files?: Files;
  readonly seed?: number;
  readonly settings?: Partial<AlertmanagerOptions>;
};

export type TestAlert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly startsIn?: number;
  readonly endsIn?: number;
};

export type Answer = { readonly status: number; readonly text: string; readonly json: unknown };

type WebhookBody = {
  readonly alerts: readonly { readonly status: string; readonly labels: Record<string, string> }[];
};

/** `30s firing:A,B resolved:C` */
export function describeDelivery({ timeMs, body }: Delivery): string {
  const { alerts } = JSON.parse(body) as WebhookBody;
  const names = (status: string): string =>
    alerts
      .filter((alert) => alert.status === status)
      .map(({ labels }) => labels.name ?? labels.alertname ?? '?')
      .join(',');
  const parts = [`${Math.round((timeMs - START_MS) / 100) / 10}s`];
  for (const status of ['firing', 'resolved']) {
    if (names(status) !== '') parts.push(`${status}:${names(status)}`);
  }
  return parts.join(' ');
}
