import { InputError } from '@pollux/base';
import {
  type ConfigNode,
  type DecodeContext,
  type Decoder,
  list,
  nonNegativeInteger,
  nullable,
  object,
  optional,
  parsed,
  parseYaml,
  raw,
  record,
  refuse,
  strictContext,
  string,
} from '@pollux/config';
import { isLegacyLabelName, isLegacyMetricName, METRIC_NAME, parseDuration } from '@pollux/model';
import type { ParserOptions } from '@pollux/promql/parser';
import { compileExpression, type RuleExpression } from '../expression.ts';
import { checkTemplate } from '../template/check.ts';

/** Which metric and label names a file may use; `global.metric_name_validation_scheme`. */
export type NameScheme = 'utf8' | 'legacy';

export type RecordingRuleSpec = {
  readonly kind: 'recording';
  readonly name: string;
  readonly expression: RuleExpression;
  readonly labels: Readonly<Record<string, string>>;
};

export type AlertingRuleSpec = {
  readonly kind: 'alerting';
  readonly name: string;
  readonly expression: RuleExpression;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  /** Templates. */
  readonly labels: Readonly<Record<string, string>>;
  /** Templates. */
  readonly annotations: Readonly<Record<string, string>>;
};

export type RuleSpec = RecordingRuleSpec | AlertingRuleSpec;

export type GroupSpec = {
  readonly file: string;
  readonly name: string;
  /** Null takes the global evaluation interval. */
  readonly intervalMs: number | null;
  /** Null takes the global rule_query_offset. */
  readonly queryOffsetMs: number | null;
  /** Most series or alerts one rule may give; 0 for no limit. */
  readonly limit: number;
  readonly rules: readonly RuleSpec[];
};

export type RuleFileOptions = {
  readonly scheme: NameScheme;
  /** Which parts of PromQL are switched on. */
  readonly parser: ParserOptions;
};

/**
 * Reads one rule file. Every fault is a ConfigError at `file:line:column` with Prometheus' own wording behind the place,
 * since operators search for that text.
 */
export function decodeRuleFile(
  text: string,
  file: string,
  options: RuleFileOptions = { scheme: 'utf8', parser: {} },
): readonly GroupSpec[] {
  const groupNames = new Set<string>();
  const decodeGroup: Decoder<GroupSpec> = (node, path, context) => {
    const group = groupDecoder(node, path, context);
    if (group.name === '') refuse(node, path, 'Groupname must not be empty');
    if (groupNames.has(group.name)) {
      refuse(node, path, `groupname: "${group.name}" is repeated in the same file`);
    }
    groupNames.add(group.name);
    checkLabels(node, `group "${group.name}"`, group.labels, options.scheme);
    return {
      file,
      name: group.name,
      intervalMs: group.interval === 0 ? null : group.interval,
      queryOffsetMs: group.query_offset,
      limit: group.limit,
      rules: group.rules.map((rule, index) =>
        decodeRule(rule, { group: group.name, index, labels: group.labels, options, context }),
      ),
    };
  };
  const root = parseYaml(text, file);
  return object({ groups: optional(list(decodeGroup), []) })(root, '', strictContext()).groups;
}

/** Text with one is no UTF-8; YAML escapes can make it. */
const LONE_SURROGATE = /\p{Cs}/u;

const duration = parsed(parseDuration);

const groupDecoder = object({
  name: optional(string, ''),
  interval: optional(duration, 0),
  query_offset: optional(nullable(duration), null),
  limit: optional(nonNegativeInteger, 0),
  labels: optional(record(string), {}),
  rules: optional(list(raw), []),
});

const ruleDecoder = object({
  record: optional(string, ''),
  alert: optional(string, ''),
  expr: optional(string, ''),
  for: optional(duration, 0),
  keep_firing_for: optional(duration, 0),
  labels: optional(record(string), {}),
  annotations: optional(record(string), {}),
});

type RuleSurroundings = {
  readonly group: string;
  readonly index: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: RuleFileOptions;
  readonly context: DecodeContext;
};

function decodeRule(node: ConfigNode, around: RuleSurroundings): RuleSpec {
  const fields = ruleDecoder(
    node,
    `group "${around.group}", rule ${around.index + 1}`,
    around.context,
  );
  const { scheme } = around.options;
  const name = fields.record === '' ? fields.alert : fields.record;
  const path = `group "${around.group}", rule ${around.index + 1}, "${name}"`;
  if (fields.record !== '' && fields.alert !== '') {
    refuse(node, path, "only one of 'record' and 'alert' must be set");
  }
  if (name === '') refuse(node, path, "one of 'record' or 'alert' must be set");
  if (fields.expr === '') refuse(node, path, "field 'expr' must be set in rule");
  const expression = expressionAt(node, path, fields.expr, around.options.parser);
  checkLabels(node, path, fields.labels, scheme);
  const labels = { ...around.labels, ...fields.labels };
  if (fields.record !== '') {
    if (Object.keys(fields.annotations).length > 0)
      refuse(node, path, "invalid field 'annotations' in recording rule");
    if (fields.for !== 0) refuse(node, path, "invalid field 'for' in recording rule");
    if (fields.keep_firing_for !== 0)
      refuse(node, path, "invalid field 'keep_firing_for' in recording rule");
    checkRecordName(node, path, name, scheme);
    return { kind: 'recording', name, expression, labels };
  }
  for (const annotation of Object.keys(fields.annotations)) {
    if (!isLabelName(annotation, scheme))
      refuse(node, path, `invalid annotation name: ${annotation}`);
  }
  checkTemplates(node, path, 'label', labels);
  checkTemplates(node, path, 'annotation', fields.annotations);
  return {
    kind: 'alerting',
    name,
    expression,
    forMs: fields.for,
    keepFiringForMs: fields.keep_firing_for,
    labels,
    annotations: fields.annotations,
  };
}

function expressionAt(
  node: ConfigNode,
  path: string,
  text: string,
  options: ParserOptions,
): RuleExpression {
  try {
    return compileExpression(text, options);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const at = node.kind === 'map' ? node.entries.find((entry) => entry.key === 'expr') : undefined;
    return refuse(at?.value ?? node, path, `could not parse expression: ${error.message}`);
  }
}

function checkRecordName(node: ConfigNode, path: string, name: string, scheme: NameScheme): void {
  if (/[{}]/.test(name)) {
    refuse(node, path, 'braces present in the recording rule name; should it be in expr?');
  }
  if (scheme === 'legacy' ? !isLegacyMetricName(name) : name === '') {
    refuse(node, path, `invalid recording rule name: ${name}`);
  }
}

function checkLabels(
  node: ConfigNode,
  path: string,
  labels: Readonly<Record<string, string>>,
  scheme: NameScheme,
): void {
  for (const [name, value] of Object.entries(labels)) {
    if (!isLabelName(name, scheme) || name === METRIC_NAME)
      refuse(node, path, `invalid label name: ${name}`);
    if (LONE_SURROGATE.test(value)) refuse(node, path, `invalid label value: ${value}`);
  }
}

function isLabelName(name: string, scheme: NameScheme): boolean {
  return scheme === 'legacy' ? isLegacyLabelName(name) : name !== '' && !LONE_SURROGATE.test(name);
}

function checkTemplates(
  node: ConfigNode,
  path: string,
  what: 'label' | 'annotation',
  templates: Readonly<Record<string, string>>,
): void {
  for (const [name, template] of Object.entries(templates)) {
    const fault = checkTemplate(template);
    if (fault !== null) refuse(node, path, `${what} "${name}": ${fault}`);
  }
}
