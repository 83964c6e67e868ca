import {
  type Env,
  type HttpClientRequest,
  type HttpClientResponse,
  OperatingError,
  SeededRandom,
  VirtualClock,
} from '@pollux/base';
import { parseYaml, strictContext } from '@pollux/config';
import type { CoverageRecorder } from '@pollux/storage';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { DEFAULT_GLOBAL_SCRAPE, ScrapeManager, scrapeConfigs } from '../index.ts';
import { FakeDatabase, START_MS } from './fake-database.ts';

const OK = { 'content-type': 'text/plain; version=0.0.4' };

export type Answer = Partial<HttpClientResponse> & { text?: string; afterMs?: number };

/** A job of one target, the URL it is scraped at, and the labels it gives its series. */
export const ONE_JOB = `
- job_name: j
  scrape_interval: 10s
  static_configs: [{targets: ["t:1"]}]
`;
export const URL_1 = 'http://t:1/metrics';
export const T = 'instance="t:1", job="j"';

export type WorldOptions = { seed?: bigint; version?: string; readsStartTimes?: boolean };

/** A manager in a virtual world: what each URL answers is told by the test. */
export class World {
  readonly clock = new VirtualClock(START_MS);
  readonly database = new FakeDatabase();
  readonly registry = new Registry();
  readonly requests: HttpClientRequest[] = [];
  readonly events: string[] = [];
  readonly answers = new Map<string, (request: HttpClientRequest) => Answer | Error>();
  readonly manager: ScrapeManager;
  readonly #seed: bigint;

  constructor(options: WorldOptions = {}) {
    this.#seed = options.seed ?? 0n;
    const env = {
      clock: this.clock,
      random: new SeededRandom(1),
      net: { request: (request: HttpClientRequest) => this.#request(request) },
      files: {},
      workers: {},
    } as unknown as Env;
    const coverage: CoverageRecorder = {
      open: ({ key, labels }, firstMs, intervalMs) =>
        this.events.push(`open ${key} ${labels} ${firstMs - START_MS} ${intervalMs}`),
      record: (key, scheduledMs, state) =>
        this.events.push(
          `${state} ${key} ${scheduledMs - START_MS} commits=${this.database.commits}`,
        ),
      close: (key, atMs) => this.events.push(`close ${key} ${atMs - START_MS}`),
    };
    this.manager = new ScrapeManager({
      env,
      log: Log.silent(),
      registry: this.registry,
      appendable: this.database,
      coverage,
      version: options.version ?? '3.4.0',
      variables: {},
      readsStartTimes: options.readsStartTimes === true,
    });
  }

  /** A world whose manager scrapes what a `scrape_configs` list names. */
  static begin(yaml: string, options?: WorldOptions): World {
    const world = new World(options);
    world.load(yaml);
    world.manager.start();
    return world;
  }

  /** The first scheduled instant of the only target, in ms after START. */
  get firstMs(): number {
    return Number(this.events[0]!.split(' ').at(-2));
  }

  /** Applies a `scrape_configs` list. */
  load(yaml: string, seed = this.#seed): void {
    const node = parseYaml(yaml, 'prometheus.yml');
    const jobs = scrapeConfigs(DEFAULT_GLOBAL_SCRAPE)(node, 'scrape_configs', strictContext());
    this.manager.prepare({ jobs, seed, resolvePath: (name) => name }).commit();
  }

  answer(url: string, ...texts: (string | Answer | Error)[]): void {
    let next = 0;
    this.answers.set(url, () => {
      const text = texts[Math.min(next++, texts.length - 1)]!;
      return typeof text === 'string' ? { text } : text;
    });
  }

  async #request(request: HttpClientRequest): Promise<HttpClientResponse> {
    this.requests.push(request);
    const found =
      this.answers.get(request.url)?.(request) ??
      new OperatingError('TEST.REFUSED', 'connection refused');
    if (found instanceof Error) throw found;
    if (found.afterMs !== undefined) {
      const { afterMs } = found;
      await new Promise<void>((resolve) => this.clock.after(afterMs, resolve));
    }
    return {
      status: found.status ?? 200,
      headers: found.headers ?? OK,
      body: found.body ?? new TextEncoder().encode(found.text ?? ''),
    };
  }

  metric(line: string): boolean {
    return renderText(this.registry.gather()).split('\n').includes(line);
  }
}
