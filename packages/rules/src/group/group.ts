import { CanceledError, type Clock, errorText, sleep } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { Appendable, CoverageRecorder, Queryable } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { ALERTS_FOR_STATE_METRIC, ALERTS_METRIC, type AlertingRule } from '../alerting-rule.ts';
import type { EvaluationInput } from '../evaluation.ts';
import { tableLink } from '../links.ts';
import { forgetGroup, type RuleMetrics } from '../metrics.ts';
import type { AlertSink } from '../outgoing-alert.ts';
import { type Rule, ruleFrom, ruleIdentity, ruleText } from '../rule.ts';
import type { GroupSpec } from '../rule-file/rule-file.ts';
import type { RuleQuery } from '../rule-query.ts';
import { type RuleGroupView, viewOfRule } from '../rule-views.ts';
import { restoreForState } from './restore.ts';
import { Schedule } from './schedule.ts';
import { SeriesWriter } from './series-writer.ts';

/** What every group of a manager shares. */
export type GroupSurroundings = {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: RuleMetrics;
  readonly query: RuleQuery;
  /** For the `for` state: local and remote. */
  readonly queryable: Queryable;
  readonly appendable: Appendable;
  readonly coverage: CoverageRecorder;
  readonly notifier: AlertSink;
  readonly resendDelayMs: number;
  readonly outageToleranceMs: number;
  readonly gracePeriodMs: number;
  /** Settings that a reload may change under unchanged groups. */
  readonly settings: () => { readonly externalLabels: Labels; readonly externalUrl: string };
};

export type GroupTiming = { readonly intervalMs: number; readonly queryOffsetMs: number };

/** The rules of one group: evaluated one after the other at the instants of the group's schedule. */
export class Group {
  readonly spec: GroupSpec;
  /** Unique in a configuration, and equal on replicas that have it: `<file>;<name>`. */
  readonly key: string;
  readonly timing: GroupTiming;
  readonly #rules: readonly Rule[];
  readonly #ruleLabels: readonly { readonly labels: Labels; readonly annotations: Labels }[];
  readonly #around: GroupSurroundings;
  readonly #log: Log;
  readonly #schedule: Schedule;
  readonly #writer: SeriesWriter;
  readonly #stopping = new AbortController();
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #needsRestore: boolean;
  #isHeir = false;
  /** The first evaluation of a server that starts may come before its targets were scraped: it does not cover alerts. */
  #isFirst: boolean;
  #evaluationSeconds = 0;
  #lastEvaluationMs: number | null = null;

  constructor(
    spec: GroupSpec,
    timing: GroupTiming,
    around: GroupSurroundings,
    needsRestore: boolean,
  ) {
    this.spec = spec;
    this.key = `${spec.file};${spec.name}`;
    this.timing = timing;
    this.#around = around;
    this.#log = around.log.with({ file: spec.file, group: spec.name });
    this.#rules = spec.rules.map(ruleFrom);
    this.#ruleLabels = spec.rules.map((rule) => ({
      labels: Labels.from(rule.labels),
      annotations: Labels.annotations(rule.kind === 'alerting' ? rule.annotations : {}),
    }));
    this.#schedule = new Schedule(spec.file, spec.name, timing.intervalMs);
    this.#writer = new SeriesWriter(around.appendable, spec.rules.length);
    this.#needsRestore = needsRestore;
    this.#isFirst = needsRestore;
    // A rule with a short `for` is not restored: nothing is there that its first evaluations could overwrite.
    for (const rule of this.#alertingRules())
      if (!needsRestore || rule.spec.forMs < around.gracePeriodMs) rule.markRestored();
  }

  /** Equal texts mean that the running group can stay as it is. */
  get text(): string {
    const { intervalMs, queryOffsetMs } = this.timing;
    const rules = this.spec.rules.map(ruleText);
    return JSON.stringify([this.key, intervalMs, queryOffsetMs, this.spec.limit, rules]);
  }

  /** Goes on where the stopped group of the same key was: alerts, series to end, restore still to do. */
  takeStateOf(old: Group): void {
    this.#isHeir = true;
    this.#evaluationSeconds = old.#evaluationSeconds;
    this.#lastEvaluationMs = old.#lastEvaluationMs;
    this.#needsRestore = old.#needsRestore;
    this.#isFirst = old.#isFirst;
    this.#writer.inheritOrphans(old.#writer);
    const unclaimed = new Map<string, number[]>();
    for (const [index, rule] of this.#rules.entries()) {
      const identity = ruleIdentity(rule.spec);
      unclaimed.set(identity, [...(unclaimed.get(identity) ?? []), index]);
    }
    for (const [from, rule] of old.#rules.entries()) {
      const to = unclaimed.get(ruleIdentity(rule.spec))?.shift();
      const heir = to === undefined ? undefined : this.#rules[to];
      if (to === undefined || heir === undefined) {
        this.#writer.orphan(old.#writer, from);
        continue;
      }
      this.#writer.adopt(old.#writer, from, to);
      if (heir.kind === 'alerting' && rule.kind === 'alerting') heir.takeStateOf(rule);
    }
    if (!this.#needsRestore) for (const rule of this.#alertingRules()) rule.markRestored();
  }

  /** Begins to evaluate at the next instant of the schedule. */
  start(): void {
    const { coverage, clock, metrics } = this.#around;
    metrics.groupInterval.with(this.key).set(this.timing.intervalMs / 1000);
    metrics.groupRules.with(this.key).set(this.#rules.length);
    // Children exist from the start, so that a failure is a rise from zero and not a new series.
    metrics.evaluationFailures.with(this.key);
    metrics.iterationsMissed.with(this.key);
    const firstMs = this.#schedule.before(clock.now()) + this.timing.intervalMs;
    // Nothing is due between the old schedule's end and the first instant of the new one, which may have another interval.
    if (this.#isHeir) coverage.close(this.coverageKey, clock.now() - this.timing.queryOffsetMs);
    coverage.open(
      {
        key: this.coverageKey,
        kind: 'group',
        labels: Labels.EMPTY,
        metricNames: this.#metricNames(),
      },
      firstMs - this.timing.queryOffsetMs,
      this.timing.intervalMs,
    );
    this.#running = this.#run(firstMs).catch((error: unknown) => {
      if (error instanceof CanceledError) return;
      this.#log.error('Rule group ended by a fault', { err: errorText(error) });
    });
  }

  get coverageKey(): string {
    return `group/${this.key}`;
  }

  /** Ends after the rule that is being evaluated. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** As {@link stop}, and gives up the query in flight. */
  async close(): Promise<void> {
    this.#closing.abort(new CanceledError('rule manager is closing'));
    await this.stop();
  }

  /**
   * The stopped group is gone from the configuration: its series end after two intervals, in which a group that took over
   * its rules under another name has written them again and so keeps them.
   */
  retire(signal: AbortSignal): void {
    const { clock, coverage, metrics } = this.#around;
    coverage.close(this.coverageKey, clock.now() - this.timing.queryOffsetMs);
    forgetGroup(metrics, this.key);
    this.#writer.orphanAll();
    const goneAtMs = clock.now();
    sleep(clock, 2 * this.timing.intervalMs, signal)
      .then(() => this.#writer.endOrphans(goneAtMs - this.timing.queryOffsetMs))
      .catch((error: unknown) => {
        if (error instanceof CanceledError) return;
        this.#log.warn('Stale sample appending for a removed group failed', {
          err: errorText(error),
        });
      });
  }

  view(): RuleGroupView {
    return {
      name: this.spec.name,
      file: this.spec.file,
      intervalMs: this.timing.intervalMs,
      limit: this.spec.limit,
      evaluationSeconds: this.#evaluationSeconds,
      lastEvaluationMs: this.#lastEvaluationMs,
      rules: this.#rules.map((rule, index) => {
        const { labels, annotations } = this.#ruleLabels[index]!;
        return viewOfRule(rule, labels, annotations);
      }),
    };
  }

  /** All rules once, in order, for one instant; the loop's step, and what unit tests of rules call. */
  async evaluateAt(dueMs: number): Promise<void> {
    const { clock, metrics, coverage } = this.#around;
    const startMs = clock.monotonic();
    const queryAtMs = dueMs - this.timing.queryOffsetMs;
    metrics.iterations.with(this.key).inc();
    let taken = 0;
    let isDone = true;
    for (const [index, rule] of this.#rules.entries()) {
      if (this.#stopping.signal.aborted) return;
      const count = await this.#evaluate(rule, index, dueMs);
      isDone &&= count !== null && rule.status.health === 'ok';
      taken += count ?? 0;
    }
    if (this.#closing.signal.aborted) return;
    await this.#endOrphans(queryAtMs);
    this.#lastEvaluationMs = clock.now();
    this.#evaluationSeconds = (clock.monotonic() - startMs) / 1000;
    metrics.groupDuration.observe(this.#evaluationSeconds);
    metrics.groupLastDuration.with(this.key).set(this.#evaluationSeconds);
    metrics.groupLastEvaluation.with(this.key).set(this.#lastEvaluationMs / 1000);
    metrics.groupLastSamples.with(this.key).set(taken);
    // Until the `for` state is restored no ALERTS are written: such an evaluation covers nothing.
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (this.#alertingRules().some((rule) => isFirst || !rule.isRestored)) return;
    // Coverage speaks of sample times, which lie before the schedule by the query offset.
    coverage.record(this.coverageKey, queryAtMs, isDone ? 'done' : 'failed');
  }

  async #run(firstMs: number): Promise<void> {
    const { clock, metrics } = this.#around;
    const { signal } = this.#stopping;
    let dueMs = firstMs;
    while (clock.now() < dueMs) {
      // Not until the old time comes again, when the clock was set back meanwhile.
      dueMs = Math.min(dueMs, this.#schedule.before(clock.now()) + this.timing.intervalMs);
      await sleep(clock, dueMs - clock.now(), signal);
    }
    for (let round = 1; !signal.aborted; round = Math.min(round + 1, 3)) {
      await this.evaluateAt(dueMs);
      // The first evaluations may lack data that was not scraped yet; the second has it as well as it gets.
      if (round >= 2 && this.#needsRestore && !signal.aborted) await this.#restore();
      const lastMs = dueMs;
      for (;;) {
        const step = this.#schedule.next(lastMs, clock.now());
        if ('dueMs' in step) {
          dueMs = step.dueMs;
          break;
        }
        await sleep(clock, step.waitMs, signal);
      }
      const missed = this.#schedule.missed(lastMs, dueMs);
      metrics.iterationsMissed.with(this.key).inc(missed);
      metrics.iterations.with(this.key).inc(missed);
    }
  }

  /** One rule at one instant; gives the samples taken, null when it failed. */
  async #evaluate(rule: Rule, index: number, dueMs: number): Promise<number | null> {
    const { clock, metrics } = this.#around;
    const startMs = clock.monotonic();
    const { status } = rule;
    metrics.evaluations.with(this.key).inc();
    try {
      const input = this.#input(dueMs);
      const samples = await rule.evaluate(input);
      status.health = 'ok';
      status.lastError = '';
      // Before the samples are written: a full disk must not hold a notification.
      if (rule.kind === 'alerting') this.#notify(rule, dueMs);
      const report = await this.#writer.write(index, samples, input.queryAtMs);
      if (report.fault !== null) {
        this.#fail(rule, report.fault);
        this.#log.warn('Error on ingesting results from rule evaluation', {
          name: rule.spec.name,
          err: report.fault,
        });
      }
      return report.taken;
    } catch (error) {
      if (this.#closing.signal.aborted) return null;
      // Whatever it was, the other rules of the group must go on.
      this.#fail(rule, errorText(error));
      metrics.evaluationFailures.with(this.key).inc();
      this.#log.warn('Evaluating rule failed', { name: rule.spec.name, err: errorText(error) });
      return null;
    } finally {
      status.lastEvaluationMs = dueMs;
      status.evaluationSeconds = (clock.monotonic() - startMs) / 1000;
      metrics.evaluationDuration.observe(status.evaluationSeconds);
    }
  }

  #input(dueMs: number): EvaluationInput {
    const { metrics, query, settings } = this.#around;
    const { file, name } = this.spec;
    return {
      query: {
        instant: (expression, atMs, signal) =>
          query.instant(expression, atMs, signal, { file, name }),
      },
      atMs: dueMs,
      queryAtMs: dueMs - this.timing.queryOffsetMs,
      limit: this.spec.limit,
      ...settings(),
      signal: this.#closing.signal,
      onExpansion: (fault) => {
        metrics.templateExpansions.inc();
        if (fault === null) return;
        metrics.templateFailures.inc();
        this.#log.warn('Expanding alert template failed', { err: fault });
      },
    };
  }

  #fail(rule: Rule, reason: string): void {
    rule.status.health = 'err';
    rule.status.lastError = reason;
  }

  #notify(rule: AlertingRule, dueMs: number): void {
    const { notifier, resendDelayMs, settings } = this.#around;
    const due = rule.takeDue(dueMs, resendDelayMs, this.timing.intervalMs);
    if (due.length === 0) return;
    const generatorUrl = settings().externalUrl + tableLink(rule.spec.expression.text);
    notifier.send(
      due.map((alert) => ({
        labels: alert.labels,
        annotations: alert.annotations,
        startsAtMs: alert.firedAtMs ?? alert.activeAtMs,
        endsAtMs: alert.resolvedAtMs ?? alert.validUntilMs ?? dueMs,
        generatorUrl,
      })),
    );
  }

  async #endOrphans(atMs: number): Promise<void> {
    try {
      await this.#writer.endOrphans(atMs);
    } catch (error) {
      this.#log.warn('Stale sample appending for previous configuration failed', {
        err: errorText(error),
      });
    }
  }

  async #restore(): Promise<void> {
    const { clock, queryable, log, outageToleranceMs, gracePeriodMs, metrics } = this.#around;
    const startMs = clock.monotonic();
    for (const rule of this.#alertingRules()) {
      await restoreForState(rule, {
        queryable,
        log,
        outageToleranceMs,
        gracePeriodMs,
        nowMs: clock.now(),
        signal: this.#closing.signal,
      });
    }
    this.#needsRestore = false;
    const seconds = (clock.monotonic() - startMs) / 1000;
    metrics.groupLastRestoreDuration.with(this.key).set(seconds);
  }

  #alertingRules(): AlertingRule[] {
    return this.#rules.filter((rule) => rule.kind === 'alerting');
  }

  #metricNames(): string[] {
    const names = new Set<string>();
    for (const { kind, name } of this.spec.rules) {
      if (kind === 'recording') names.add(name);
      else names.add(ALERTS_METRIC).add(ALERTS_FOR_STATE_METRIC);
    }
    return [...names];
  }
}
