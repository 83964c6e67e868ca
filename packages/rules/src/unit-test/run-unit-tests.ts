import { type Files, VirtualClock } from '@pollux/base';
import { ALERT_NAME, Labels } from '@pollux/model';
import { Engine, type EngineFeatures } from '@pollux/promql';
import { NO_COVERAGE } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { EngineRuleQuery } from '../engine-rule-query.ts';
import { Group } from '../group/group.ts';
import { registerRuleMetrics } from '../metrics.ts';
import type { GroupSpec } from '../rule-file/rule-file.ts';
import { loadRuleFiles } from '../rule-file/rule-files.ts';
import type { RuleQuery, RuleVector } from '../rule-query.ts';
import { SampleStore } from './sample-store.ts';
import { decodeTestFile, type UnitTestFile, type UnitTestGroup } from './test-file.ts';

export type UnitTestOptions = {
  readonly files: Files;
  /** Joins a name in the test file to the file's folder. */
  readonly resolvePath: (name: string) => string;
  readonly features?: EngineFeatures;
  /** Runs only the tests whose name it accepts. */
  readonly accepts?: (name: string) => boolean;
};

export type UnitTestResult = {
  readonly name: string;
  /** Empty when the test passed. */
  readonly failures: readonly string[];
};

/** More evaluations than this mean a wrong interval or time. */
const MAX_EVALUATIONS = 10_000_000;
const NEVER = new AbortController().signal;

/**
 * Runs one file of `promtool test rules`: for each test, rules are evaluated over its series from its start to the latest
 * time that it looks at. Throws ConfigError when the file or a rule file is faulty; failed expectations are results.
 */
export async function runUnitTests(
  text: string,
  file: string,
  options: UnitTestOptions,
): Promise<UnitTestResult[]> {
  const suite = decodeTestFile(text, file);
  const specs = loadRuleFiles(options.files, suite.rule_files.map(options.resolvePath), {
    scheme: 'utf8',
    parser: options.features ?? {},
  });
  const ordered = inOrder(specs, suite.group_eval_order);
  const results: UnitTestResult[] = [];
  for (const test of suite.tests) {
    if (options.accepts !== undefined && !options.accepts(test.name)) continue;
    const run = new UnitTest(suite, test, ordered, options.features ?? {});
    results.push({ name: test.name, failures: await run.failures() });
  }
  return results;
}

function inOrder(specs: readonly GroupSpec[], order: readonly string[]): readonly GroupSpec[] {
  if (order.length === 0) return specs;
  const rank = ({ name }: GroupSpec): number => {
    const at = order.indexOf(name);
    return at < 0 ? order.length : at;
  };
  return [...specs].sort((a, b) => rank(a) - rank(b));
}

class UnitTest {
  readonly #suite: UnitTestFile;
  readonly #test: UnitTestGroup;
  readonly #store = new SampleStore();
  readonly #query: RuleQuery;
  readonly #groups: readonly Group[];

  constructor(
    suite: UnitTestFile,
    test: UnitTestGroup,
    specs: readonly GroupSpec[],
    features: EngineFeatures,
  ) {
    this.#suite = suite;
    this.#test = test;
    const clock = new VirtualClock(test.start_timestamp);
    const registry = new Registry();
    const log = Log.silent();
    const stepMs = suite.evaluation_interval;
    const engine = new Engine({ clock, registry, log, features, defaultStepMs: () => stepMs });
    this.#query = new EngineRuleQuery(engine, this.#store);
    const settings = {
      externalLabels: Labels.from(test.external_labels),
      externalUrl: test.external_url,
    };
    const around = {
      clock,
      log,
      metrics: registerRuleMetrics(registry),
      query: this.#query,
      queryable: this.#store,
      appendable: this.#store,
      coverage: NO_COVERAGE,
      notifier: { send: () => {} },
      resendDelayMs: 0,
      outageToleranceMs: 0,
      gracePeriodMs: 0,
      settings: () => settings,
    };
    this.#groups = specs.map(
      (spec) => new Group(spec, { intervalMs: stepMs, queryOffsetMs: 0 }, around, false),
    );
  }

  async failures(): Promise<string[]> {
    const { input_series, start_timestamp, interval } = this.#test;
    const stepMs = interval ?? this.#suite.evaluation_interval;
    for (const { series, values } of input_series) {
      this.#store.load(series, values, start_timestamp, stepMs);
    }
    const failures = await this.#evaluate();
    for (const test of this.#test.promql_expr_test) {
      const fault = await this.#checkExpression(test);
      if (fault !== null) failures.push(fault);
    }
    return failures;
  }

  /** Evaluates all groups over the test's time; gives the faults of rules and of expected alerts. */
  async #evaluate(): Promise<string[]> {
    const stepMs = this.#suite.evaluation_interval;
    const { alert_rule_test: alertTests, promql_expr_test: exprTests } = this.#test;
    const startMs = this.#test.start_timestamp;
    const lastMs = Math.max(0, ...[...alertTests, ...exprTests].map((test) => test.eval_time));
    const failures: string[] = [];
    if (stepMs <= 0 || lastMs / stepMs > MAX_EVALUATIONS) {
      return [`more than ${MAX_EVALUATIONS} evaluations; correct evaluation_interval or eval_time`];
    }
    for (let atMs = 0; atMs <= lastMs; atMs += stepMs) {
      for (const group of this.#groups) await group.evaluateAt(startMs + atMs);
      failures.push(...this.#ruleFaults(atMs));
      for (const test of alertTests) {
        if (test.eval_time < atMs || test.eval_time >= atMs + stepMs) continue;
        const fault = this.#checkAlerts(test);
        if (fault !== null) failures.push(fault);
      }
      if (failures.length > 0 && failures.some((text) => text.startsWith('rule:'))) break;
    }
    return failures;
  }

  #ruleFaults(atMs: number): string[] {
    return this.#groups
      .flatMap((group) => group.view().rules)
      .filter(({ health }) => health === 'err')
      .map(({ name, lastError }) => `rule: ${name}, time: ${atMs / 1000}s, err: ${lastError}`);
  }

  #checkAlerts(test: UnitTestGroup['alert_rule_test'][number]): string | null {
    const got = this.#groups
      .flatMap((group) => group.view().rules)
      .flatMap((rule) =>
        rule.kind === 'alerting' && rule.name === test.alertname ? rule.alerts : [],
      )
      .filter(({ state }) => state === 'firing')
      .map(({ labels, annotations }) => `Labels:${labels} Annotations:${annotations}`)
      .sort();
    const expected = test.exp_alerts
      .map(({ exp_labels, exp_annotations }) => {
        const labels = Labels.from({ ...exp_labels, [ALERT_NAME]: test.alertname });
        return `Labels:${labels} Annotations:${Labels.annotations(exp_annotations)}`;
      })
      .sort();
    if (expected.join('\n') === got.join('\n')) return null;
    return `alertname: ${test.alertname}, time: ${test.eval_time / 1000}s, exp:[${expected.join(', ')}], got:[${got.join(', ')}]`;
  }

  async #checkExpression(test: UnitTestGroup['promql_expr_test'][number]): Promise<string | null> {
    const head = `expr: ${JSON.stringify(test.expr)}, time: ${test.eval_time / 1000}s,`;
    let got: RuleVector;
    try {
      const atMs = this.#test.start_timestamp + test.eval_time;
      got = await this.#query.instant(test.expr, atMs, NEVER);
    } catch (error) {
      return `${head} err: ${error instanceof Error ? error.message : String(error)}`;
    }
    const expected = test.exp_samples.map(({ labels, value }) => ({ labels, value }));
    const rest = new Map(got.labels.map((labels, index) => [labels.key(), got.values[index]!]));
    const isEqual =
      expected.length === rest.size &&
      expected.every(({ labels, value }) => {
        const actual = rest.get(labels.key());
        return actual !== undefined && this.#isEqual(value, actual);
      });
    if (isEqual) return null;
    const show = (list: readonly { readonly labels: Labels; readonly value: number }[]): string =>
      list.map(({ labels, value }) => `${labels.toMetricString()} ${value}`).join(', ') || 'nil';
    const actual = got.labels.map((labels, index) => ({ labels, value: got.values[index]! }));
    return `${head} exp: ${show(expected)}, got: ${show(actual)}`;
  }

  /** Fuzzy allows the last binary digit to differ. */
  #isEqual(a: number, b: number): boolean {
    if (Object.is(a, b) || a === b) return true;
    if (!this.#suite.fuzzy_compare) return false;
    return Math.abs(a - b) <= Number.EPSILON * Math.max(Math.abs(a), Math.abs(b));
  }
}
