import {
  boolean,
  checked,
  type Decoder,
  list,
  nullable,
  object,
  optional,
  parsed,
  parseYaml,
  record,
  refuse,
  required,
  strictContext,
  string,
} from '@pollux/config';
import { Labels, parseDuration, parseFloatText } from '@pollux/model';
import { parseSeriesSelector } from '@pollux/promql/parser';
import { parseSeriesValues } from './series-values.ts';

const duration = parsed(parseDuration);

/** `name{a="b"}` as a label set; only equalities make one. */
const seriesLabels: Decoder<Labels> = checked(string, (text) =>
  Labels.from(
    text === '' ? [] : parseSeriesSelector(text).map(({ name, value }) => [name, value] as const),
  ),
);

const sampleValue: Decoder<number> = (node, path, context) => {
  const value = parseFloatText(string(node, path, context));
  return value ?? refuse(node, path, 'must be a number');
};

/** Seconds since 1970 or RFC 3339; gives ms. */
const timestamp: Decoder<number> = (node, path, context) => {
  const text = string(node, path, context);
  const seconds = parseFloatText(text);
  const timeMs = seconds === null ? Date.parse(text) : seconds * 1000;
  return Number.isFinite(timeMs)
    ? Math.round(timeMs)
    : refuse(node, path, `"${text}" is no time; write seconds since 1970 or RFC 3339`);
};

const inputSeries = object({
  series: required(seriesLabels),
  values: required(checked(string, parseSeriesValues)),
});

const expectedAlert = object({
  exp_labels: optional(record(string), {}),
  exp_annotations: optional(record(string), {}),
});

const alertTest = object({
  eval_time: optional(duration, 0),
  alertname: required(string),
  exp_alerts: optional(list(expectedAlert), []),
});

const expectedSample = object({
  labels: optional(seriesLabels, Labels.EMPTY),
  value: optional(sampleValue, 0),
  histogram: optional(nullable(notServed), null),
});

const expressionTest = object({
  expr: required(string),
  eval_time: optional(duration, 0),
  exp_samples: optional(list(expectedSample), []),
});

const testGroup = object({
  name: optional(string, ''),
  interval: optional(nullable(duration), null),
  start_timestamp: optional(timestamp, 0),
  input_series: optional(list(inputSeries), []),
  alert_rule_test: optional(list(alertTest), []),
  promql_expr_test: optional(list(expressionTest), []),
  external_labels: optional(record(string), {}),
  external_url: optional(string, ''),
});

const testFile = object({
  rule_files: optional(list(string), []),
  evaluation_interval: optional(duration, 60_000),
  fuzzy_compare: optional(boolean, false),
  group_eval_order: optional(list(string), []),
  tests: optional(list(testGroup), []),
});

export type UnitTestFile = ReturnType<typeof testFile>;
export type UnitTestGroup = UnitTestFile['tests'][number];

/** Reads a file of `promtool test rules`. Throws ConfigError at `file:line:column`. */
export function decodeTestFile(text: string, file: string): UnitTestFile {
  return testFile(parseYaml(text, file), '', strictContext());
}

function notServed(...[node, path]: Parameters<Decoder<string>>): never {
  return refuse(node, path, 'histograms in unit tests are not supported yet; remove the test');
}
