import { type Files, sleep, VirtualClock } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { CoverageRecorder } from '@pollux/storage';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { RuleManager, type RuleManagerOptions, type RulesConfig } from '../manager.ts';
import type { OutgoingAlert } from '../outgoing-alert.ts';
import type { RuleQuery, RuleVector } from '../rule-query.ts';
import { MemoryStorage } from './memory-storage.ts';

/** What a fake expression gives: label sets with values. */
export type FakeResult = readonly (readonly [Readonly<Record<string, string>>, number])[];

/** 2023-11-14T22:13:20Z; a multiple of ten seconds, not of a minute. */
export const START_MS = 1_700_000_000_000;

/** A rule manager over a virtual clock, with expressions that the test answers. */
export class World implements RuleQuery {
  readonly clock = new VirtualClock(START_MS);
  readonly storage: MemoryStorage;
  readonly registry = new Registry();
  readonly sent: { readonly atMs: number; readonly alert: OutgoingAlert }[] = [];
  readonly coverage: string[] = [];
  readonly logged: string[] = [];
  readonly evaluations: { readonly expression: string; readonly atMs: number }[] = [];
  /** Text → answer at an instant; a throw is the query's failure. */
  readonly answers = new Map<string, (atMs: number) => FakeResult>();
  /** How long each query takes. */
  queryMs = 0;
  readonly manager: RuleManager;
  readonly files: Record<string, string> = {};

  constructor(options: { storage?: MemoryStorage; manager?: Partial<RuleManagerOptions> } = {}) {
    this.storage = options.storage ?? new MemoryStorage();
    const log = new Log({
      level: 'debug',
      format: 'logfmt',
      now: () => this.clock.now(),
      write: (line) => this.logged.push(line),
    });
    this.manager = new RuleManager({
      env: { clock: this.clock, files: memoryFiles(this.files) },
      log,
      registry: this.registry,
      query: this,
      queryable: this.storage,
      appendable: this.storage,
      coverage: this.#recorder(),
      notifier: {
        send: (alerts) => {
          for (const alert of alerts) this.sent.push({ atMs: this.clock.now(), alert });
        },
      },
      externalUrl: 'http://prometheus:9090',
      ...options.manager,
    });
  }

  async instant(expression: string, atMs: number, signal: AbortSignal): Promise<RuleVector> {
    this.evaluations.push({ expression, atMs });
    if (this.queryMs > 0) await sleep(this.clock, this.queryMs, signal);
    const result = this.answers.get(expression)?.(atMs) ?? [];
    return {
      labels: result.map(([labels]) => Labels.from(labels)),
      values: Float64Array.from(result.map(([, value]) => value)),
      histograms: null,
      annotations: [],
    };
  }

  /** Puts `yaml` in place of the only rule file and makes it live. */
  async load(yaml: string, config: Partial<RulesConfig> = {}): Promise<void> {
    this.files['/rules.yml'] = yaml;
    const commit = this.manager.prepare({ ...this.config(), ...config }).commit();
    await this.clock.advance(0);
    await commit;
  }

  config(): RulesConfig {
    return {
      ruleFiles: ['/rules.yml'],
      evaluationIntervalMs: 10_000,
      queryOffsetMs: 0,
      externalLabels: Labels.EMPTY,
    };
  }

  /** Instants at which an expression was evaluated, relative to the first one of all. */
  timesOf(expression: string): number[] {
    const firstMs = this.evaluations[0]?.atMs ?? 0;
    return this.evaluations
      .filter((evaluation) => evaluation.expression === expression)
      .map(({ atMs }) => atMs - firstMs);
  }

  metrics(prefix: string): string[] {
    return renderText(this.registry.gather())
      .split('\n')
      .filter((line) => line.startsWith(prefix));
  }

  #recorder(): CoverageRecorder {
    return {
      open: (subject, firstMs, intervalMs) => {
        const names = subject.metricNames.join(',');
        this.coverage.push(`open ${subject.key} ${names} ${firstMs} ${intervalMs}`);
      },
      record: (key, scheduledMs, state) => {
        this.coverage.push(`${state} ${key} ${scheduledMs} commits=${this.storage.commits}`);
      },
      close: (key) => this.coverage.push(`close ${key}`),
    };
  }
}

/** Files by path; only what reading rule files needs. */
export function memoryFiles(contents: Record<string, string>): Files {
  const missing = (path: string): Error =>
    Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), {
      code: 'ENOENT',
    });
  const reader: Pick<Files, 'readFile' | 'list' | 'exists'> = {
    exists: (path) => path in contents,
    readFile: (path) => {
      const text = contents[path];
      if (text === undefined) throw missing(path);
      return new TextEncoder().encode(text);
    },
    list: (directory) => {
      const prefix = directory === '/' ? '/' : `${directory}/`;
      const names = Object.keys(contents)
        .filter((path) => path.startsWith(prefix))
        .map((path) => path.slice(prefix.length));
      if (names.length === 0) throw missing(directory);
      return names.filter((name) => !name.includes('/')).sort();
    },
  };
  return reader as Files;
}
