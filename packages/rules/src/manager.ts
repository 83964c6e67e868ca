import type { Env } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { ParserOptions } from '@pollux/promql/parser';
import type { Appendable, CoverageRecorder, Queryable } from '@pollux/storage';
import type { Log, Registry } from '@pollux/telemetry';
import { Group, type GroupSurroundings, type GroupTiming } from './group/group.ts';
import { registerRuleMetrics } from './metrics.ts';
import type { AlertSink } from './outgoing-alert.ts';
import type { GroupSpec, NameScheme } from './rule-file/rule-file.ts';
import { loadRuleFiles } from './rule-file/rule-files.ts';
import type { RuleQuery } from './rule-query.ts';
import type { AlertView, RuleGroupView } from './rule-views.ts';

export type RuleManagerOptions = {
  readonly env: Pick<Env, 'clock' | 'files'>;
  readonly log: Log;
  readonly registry: Registry;
  readonly query: RuleQuery;
  /** Answers for the `for` state at a start: local and remote, so that a server with an empty disk has it too. */
  readonly queryable: Queryable;
  readonly appendable: Appendable;
  readonly coverage: CoverageRecorder;
  readonly notifier: AlertSink;
  /** As alerts link to it: `http://host:9090` without a trailing slash. */
  readonly externalUrl: string;
  readonly parser?: ParserOptions;
  /** Default 1 minute. */
  readonly resendDelayMs?: number;
  /** Default 1 hour. */
  readonly forOutageToleranceMs?: number;
  /** Default 10 minutes. */
  readonly forGracePeriodMs?: number;
};

/** What the root configuration says of rules. */
export type RulesConfig = {
  /** Patterns, absolute or relative to the working directory; only the last element may hold wildcards. */
  readonly ruleFiles: readonly string[];
  readonly evaluationIntervalMs: number;
  readonly queryOffsetMs: number;
  readonly externalLabels: Labels;
  readonly nameScheme?: NameScheme;
};

/** A checked configuration that is not live yet. */
export type PreparedRules = {
  readonly groupCount: number;
  readonly ruleCount: number;
  /** Makes it live: cannot fail; resolves when groups that changed have handed over. Once. */
  commit(): Promise<void>;
};

/**
 * Evaluates all rule groups of a server. Constructed without groups; `prepare` and `commit` give them, before or after
 * `start`. No group runs before `start`, which the role calls once the storage answers.
 */
export class RuleManager {
  readonly #options: RuleManagerOptions;
  readonly #around: GroupSurroundings;
  readonly #closing = new AbortController();
  #groups = new Map<string, Group>();
  #externalLabels: Labels;
  #isStarted = false;
  #wasLoaded = false;
  #reload: Promise<void> = Promise.resolve();

  /** `externalLabels` are for templates until the first configuration brings its own. */
  constructor(options: RuleManagerOptions, externalLabels: Labels = Labels.EMPTY) {
    this.#options = options;
    this.#externalLabels = externalLabels;
    this.#around = {
      clock: options.env.clock,
      log: options.log.with({ component: 'rule manager' }),
      metrics: registerRuleMetrics(options.registry),
      query: options.query,
      queryable: options.queryable,
      appendable: options.appendable,
      coverage: options.coverage,
      notifier: options.notifier,
      resendDelayMs: options.resendDelayMs ?? 60_000,
      outageToleranceMs: options.forOutageToleranceMs ?? 3_600_000,
      gracePeriodMs: options.forGracePeriodMs ?? 600_000,
      settings: () => ({
        externalLabels: this.#externalLabels,
        externalUrl: options.externalUrl,
      }),
    };
  }

  /** Reads and checks everything. Throws ConfigError at `file:line:column`; what runs is untouched. */
  prepare(config: RulesConfig): PreparedRules {
    const { env, parser } = this.#options;
    const specs = loadRuleFiles(env.files, config.ruleFiles, {
      scheme: config.nameScheme ?? 'utf8',
      parser: parser ?? {},
    });
    return {
      groupCount: specs.length,
      ruleCount: specs.reduce((sum, spec) => sum + spec.rules.length, 0),
      commit: () => {
        this.#reload = this.#reload.then(() => this.#commit(config, specs));
        return this.#reload;
      },
    };
  }

  start(): void {
    if (this.#isStarted || this.#closing.signal.aborted) return;
    this.#isStarted = true;
    for (const group of this.#groups.values()) group.start();
  }

  /** Stops all groups, giving up queries in flight. State lives on in the series that were written. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#groups.values()].map((group) => group.close()));
    await this.#reload;
  }

  /** Sorted by file, then name. */
  groups(): readonly RuleGroupView[] {
    return [...this.#groups.values()]
      .map((group) => group.view())
      .sort((a, b) => compare(a.file, b.file) || compare(a.name, b.name));
  }

  /** Pending and firing alerts of all rules. */
  alerts(): readonly AlertView[] {
    return this.groups().flatMap((group) =>
      group.rules.flatMap((rule) => (rule.kind === 'alerting' ? rule.alerts : [])),
    );
  }

  async #commit(config: RulesConfig, specs: readonly GroupSpec[]): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#externalLabels = config.externalLabels;
    const old = this.#groups;
    const next = new Map<string, Group>();
    const handovers: Promise<void>[] = [];
    for (const spec of specs) {
      const group = new Group(spec, timingOf(spec, config), this.#around, !this.#wasLoaded);
      const running = old.get(group.key);
      if (running !== undefined && running.text === group.text) {
        next.set(group.key, running);
        continue;
      }
      next.set(group.key, group);
      handovers.push(this.#handOver(running, group));
    }
    this.#wasLoaded = true;
    for (const [key, group] of old) {
      if (!next.has(key)) handovers.push(this.#retire(group));
    }
    this.#groups = next;
    await Promise.all(handovers);
  }

  async #handOver(running: Group | undefined, group: Group): Promise<void> {
    if (running !== undefined) {
      await running.stop();
      group.takeStateOf(running);
    }
    if (this.#isStarted && !this.#closing.signal.aborted) group.start();
  }

  async #retire(group: Group): Promise<void> {
    await group.stop();
    if (this.#isStarted) group.retire(this.#closing.signal);
  }
}

function timingOf(spec: GroupSpec, config: RulesConfig): GroupTiming {
  return {
    intervalMs: spec.intervalMs ?? config.evaluationIntervalMs,
    queryOffsetMs: spec.queryOffsetMs ?? config.queryOffsetMs,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
