import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { SeededRandom } from '@pollux/base';
import { programPath } from '@pollux/roles/up';
import type { Contents, SampleAt } from '../../../packages/sim/src/faults/sample-ledger.ts';
import { SampleLedger } from '../../../packages/sim/src/faults/sample-ledger.ts';
import { Child, freePort } from '../child-process.ts';
import { apiData } from '../witnesses.ts';
import { EarlyProxy } from './early-proxy.ts';
import { JOB, Load } from './load.ts';
import { CompactionWatch, type Phase, phaseLeft, phaseSeen } from './phases.ts';

export type RoundsOptions = {
  readonly directory: string;
  readonly rounds: number;
  readonly seed: number;
  /** Puts something in front of the server that acknowledges before it writes. */
  readonly canary: boolean;
  /** Longest life of a server that is killed at a moment of its own. */
  readonly lifeMs: number;
  /** How likely it is that a round waits instead until the directory shows some phase. */
  readonly phaseChance: number;
  readonly onRound?: (round: number, phase: Phase, life: RoundFacts) => void;
};

export type RoundFacts = {
  readonly writes: number;
  readonly readyMs: number;
  /** Samples that were answered and compared after the start. */
  readonly compared: number;
};

export type RoundsReport = {
  readonly kills: Readonly<Record<Phase, number>>;
  readonly writes: number;
  /** What was lost, invented, out of order, or complained about; at most a few for each round. */
  readonly problems: readonly string[];
};

const BLOCK_MS = 1_000;
const RETENTION_MS = 40_000;
const SERIES = 30;
/** Late samples come into the head and into several blocks. */
const LATE_MS = 10_000;
/** What is older than this behind the newest sample may be past the retention time. */
const CHECKED_MS = RETENTION_MS - 5_000;
const AWAITED: readonly Phase[] = ['append', 'cut', 'checkpoint', 'compaction', 'delete'];
/** Maintenance comes every five seconds. */
const PHASE_TIMEOUT_MS = 11_000;
/** A phase is killed so long after it was seen to begin, at most. */
const INTO_PHASE_MS = 6;

/**
 * Kills a real server at random moments under writes (some of them late), deletions and scrapes, and starts it again on the same directory.
 * After each start everything acknowledged must be answered: by a ledger kept here, in order, each sample once, nothing else.
 */
export async function killRounds(options: RoundsOptions): Promise<RoundsReport> {
  const rounds = new Rounds(options);
  try {
    return await rounds.run();
  } finally {
    await rounds.close();
  }
}

class Rounds {
  readonly #options: RoundsOptions;
  readonly #random: SeededRandom;
  readonly #ledger = new SampleLedger();
  readonly #target = new CountingTarget();
  readonly #proxy: EarlyProxy | null;
  readonly #data: string;
  #server: Child | null = null;
  #compactions = new CompactionWatch();
  #base = '';
  /** Scraped values that a query has shown, by time. */
  #seen = new Map<number, string>();
  readonly #problems: string[] = [];
  #compared = 0;
  /** What the last kill left half made: the next start must remove it. */
  #unfinished: readonly string[] = [];

  constructor(options: RoundsOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#proxy = options.canary ? new EarlyProxy() : null;
    this.#data = path.join(options.directory, 'data');
  }

  async run(): Promise<RoundsReport> {
    mkdirSync(this.#options.directory, { recursive: true });
    await this.#target.start();
    const proxyUrl = (await this.#proxy?.start()) ?? '';
    const kills = { append: 0, cut: 0, checkpoint: 0, compaction: 0, delete: 0, idle: 0 };
    let writes = 0;
    for (let round = 1; round <= this.#options.rounds; round++) {
      const readyMs = await this.#start();
      await this.#verify(`round ${round}`);
      const load = await this.#newLoad(proxyUrl);
      load.start();
      const phase = await this.#killDuring(load);
      kills[phase]++;
      writes += load.written;
      if (load.refused !== '') this.#problems.push(`round ${round}: ${load.refused}`);
      this.#options.onRound?.(round, phase, {
        writes: load.written,
        readyMs,
        compared: this.#compared,
      });
      // What broke once shows again in every later round.
      if (this.#problems.length > 0 && !this.#options.canary) break;
    }
    await this.#start();
    await this.#verify('at the end');
    return { kills, writes, problems: this.#problems };
  }

  async close(): Promise<void> {
    const status = await this.#server?.stop();
    if (status !== undefined && status !== 0)
      this.#problems.push(`the server ended with ${status}`);
    await this.#target.close();
    await this.#proxy?.close();
    rmSync(this.#options.directory, { recursive: true, force: true });
  }

  /** Starts the server; returns how long it took to be ready. */
  async #start(): Promise<number> {
    const config = path.join(this.#options.directory, 'prometheus.yml');
    writeFileSync(
      config,
      `global: {scrape_interval: 250ms, scrape_timeout: 250ms}
storage: {tsdb: {out_of_order_time_window: ${LATE_MS}ms}}
scrape_configs:
  - {job_name: scraped, static_configs: [{targets: ['${this.#target.address}']}]}
`,
    );
    const port = await freePort();
    this.#base = `http://127.0.0.1:${port}`;
    const startMs = performance.now();
    this.#compactions = new CompactionWatch();
    const compactions = this.#compactions;
    const flags = [
      programPath(),
      'server',
      `--config.file=${config}`,
      `--storage.tsdb.path=${this.#data}`,
      `--storage.tsdb.min-block-duration=${BLOCK_MS}ms`,
      `--storage.tsdb.max-block-duration=${9 * BLOCK_MS}ms`,
      `--storage.tsdb.retention.time=${RETENTION_MS}ms`,
      '--web.enable-remote-write-receiver',
      '--web.enable-admin-api',
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    this.#server = new Child(process.execPath, flags, (line) => compactions.note(line));
    await this.#server.ready(this.#base);
    return performance.now() - startMs;
  }

  async #newLoad(proxyUrl: string): Promise<Load> {
    const writeUrl = `${this.#base}/api/v1/write`;
    this.#proxy?.forwardTo(writeUrl);
    return new Load({
      writeUrl: this.#proxy === null ? writeUrl : proxyUrl,
      serverUrl: this.#base,
      series: SERIES,
      deletes: !this.#options.canary,
      ledger: this.#ledger,
    });
  }

  /** Kills the server at a moment that the seed chooses, or when its directory shows the phase that the seed chooses. */
  async #killDuring(load: Load): Promise<Phase> {
    const { lifeMs, phaseChance } = this.#options;
    const awaited = AWAITED[this.#random.below(AWAITED.length)]!;
    const isAwaiting = this.#random.next() < phaseChance;
    const momentMs = this.#random.below(lifeMs);
    const looking = this.#lookAtScrapes();
    if (!isAwaiting) await pause(momentMs);
    else if (awaited === 'append') await pause(momentMs / 4);
    if (isAwaiting && (await this.#isIn(awaited, load))) {
      await pause(this.#random.below(INTO_PHASE_MS));
    }
    this.#server?.signal('SIGKILL');
    const { isWriting, isDeleting } = load;
    await this.#server?.stop();
    this.#server = null;
    await load.stop();
    await looking.stop();
    this.#unfinished = readdirSync(this.#data).filter((name) => name.includes('.tmp-for-'));
    // Its last lines have come by now.
    const { isCompacting } = this.#compactions;
    return phaseLeft(this.#data, { isWriting, isDeleting, isCompacting });
  }

  /** Waits until the server is in the phase; false when that took too long. */
  async #isIn(phase: Phase, load: Load): Promise<boolean> {
    if (phase === 'compaction') return this.#compactions.begins(PHASE_TIMEOUT_MS);
    if (phase !== 'append') return phaseSeen(this.#data, phase, PHASE_TIMEOUT_MS);
    await load.writes();
    return true;
  }

  /** What a query has shown of the scrapes must be there after the kill, too. */
  #lookAtScrapes(): { stop(): Promise<void> } {
    let isStopped = false;
    const run = async (): Promise<void> => {
      while (!isStopped) {
        await pause(150);
        try {
          for (const { timeMs, value } of await this.#samples('scraped_count[20s]')) {
            this.#seen.set(timeMs, value);
          }
        } catch {
          // The server is dead or dying.
        }
      }
    };
    const running = run();
    return {
      stop: async () => {
        isStopped = true;
        await running;
      },
    };
  }

  async #verify(when: string): Promise<void> {
    const boundMs = this.#ledger.newestMs - CHECKED_MS;
    this.#ledger.forgetBefore(boundMs);
    const contents = await this.#contents(boundMs);
    this.#compared = [...contents.series.values()].reduce((sum, { length }) => sum + length, 0);
    const wrong = this.#ledger.check(contents);
    this.#problems.push(...wrong.map((text) => `${when}: ${text}`));
    this.#ledger.settle(contents, false);
    await this.#verifyScrapes(when);
    for (const name of readdirSync(this.#data)) {
      if (this.#unfinished.includes(name)) this.#problems.push(`${when}: ${name} was left`);
    }
  }

  async #contents(boundMs: number): Promise<Contents> {
    const series = new Map<string, SampleAt[]>();
    const query = `{job="${JOB}"}[2m]`;
    const time = String((Math.max(this.#ledger.newestMs, 0) + 1) / 1_000);
    const { result } = (await apiData(this.#base, 'query', { query, time })) as QueryResult;
    for (const { metric, values } of result) {
      const { __name__: name, ...labels } = metric;
      const pairs = Object.entries({ __name__: name, ...labels }).sort(([a], [b]) =>
        a < b ? -1 : 1,
      );
      const key = `{${pairs.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(', ')}}`;
      const samples = values.map(([seconds, value]) => ({
        timeMs: Math.round(seconds * 1_000),
        value,
      }));
      series.set(key, [
        ...(series.get(key) ?? []),
        ...samples.filter(({ timeMs }) => timeMs >= boundMs),
      ]);
    }
    return { series, isPartial: false };
  }

  async #verifyScrapes(when: string): Promise<void> {
    const samples = await this.#samples('scraped_count[20s]');
    const found = new Map(samples.map(({ timeMs, value }) => [timeMs, value]));
    const boundMs = Date.now() - 15_000;
    for (const [timeMs, value] of this.#seen) {
      if (timeMs < boundMs) this.#seen.delete(timeMs);
      else if (found.get(timeMs) !== value)
        this.#problems.push(
          `${when}: scrape ${timeMs}=${value} was answered, now ${found.get(timeMs)}`,
        );
    }
    for (let i = 1; i < samples.length; i++) {
      const [before, after] = [samples[i - 1]!, samples[i]!];
      if (after.timeMs <= before.timeMs || Number(after.value) <= Number(before.value))
        this.#problems.push(`${when}: scrapes out of order at ${after.timeMs}`);
    }
  }

  async #samples(query: string): Promise<SampleAt[]> {
    const { result } = (await apiData(this.#base, 'query', { query })) as QueryResult;
    return (result[0]?.values ?? []).map(([seconds, value]) => ({
      timeMs: Math.round(seconds * 1_000),
      value,
    }));
  }
}

type QueryResult = {
  readonly result: readonly {
    readonly metric: Readonly<Record<string, string>>;
    readonly values: readonly (readonly [number, string])[];
  }[];
};

/** Counts how often it was scraped. */
class CountingTarget {
  readonly #server: Server;
  #count = 0;
  #address = '';

  constructor() {
    this.#server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' });
      response.end(`scraped_count ${++this.#count}\n`);
    });
  }

  get address(): string {
    return this.#address;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#address = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
