import { compareText, type MetricType } from '@pollux/model';

export type LintedFamily = {
  readonly name: string;
  readonly type: MetricType;
  readonly hasHelp: boolean;
  /** Lines of samples. */
  readonly sampleCount: number;
  readonly labelNames: ReadonlySet<string>;
};

export type LintProblem = { readonly metric: string; readonly text: string };

/** Prometheus' naming rules as `promtool check metrics` applies them, with its texts. Sorted by metric and text. */
export function lintFamilies(families: readonly LintedFamily[]): readonly LintProblem[] {
  const problems = families.flatMap((family) =>
    CHECKS.flatMap((check) => check(family)).map((text) => ({ metric: family.name, text })),
  );
  return problems.sort((a, b) => compareText(a.metric, b.metric) || compareText(a.text, b.text));
}

type Check = (family: LintedFamily) => readonly string[];

/** Units that metrics may carry, and the base unit of each. */
const UNITS: Readonly<Record<string, string>> = {
  amperes: 'amperes',
  bytes: 'bytes',
  celsius: 'celsius',
  grams: 'grams',
  joules: 'joules',
  kelvin: 'kelvin',
  meters: 'meters',
  metres: 'metres',
  seconds: 'seconds',
  volts: 'volts',
  minutes: 'seconds',
  hours: 'seconds',
  days: 'seconds',
  weeks: 'seconds',
  kelvins: 'kelvin',
  fahrenheit: 'celsius',
  rankine: 'celsius',
  inches: 'meters',
  yards: 'meters',
  miles: 'meters',
  bits: 'bytes',
  calories: 'joules',
  pounds: 'grams',
  ounces: 'grams',
};
const PREFIXES =
  /^(?:pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mibi|giga|gibi|tera|tebi|peta|pebi)/;
const ABBREVIATIONS = /_(?:s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d)(?:_|$)/;

const CHECKS: readonly Check[] = [
  ({ hasHelp }) => (hasHelp ? [] : ['no help text']),
  ({ name }) => nonBaseUnit(name),
  ({ name, type }) => {
    if (type === 'counter')
      return name.endsWith('_total') ? [] : ['counter metrics should have "_total" suffix'];
    return type !== 'unknown' && name.endsWith('_total')
      ? ['non-counter metrics should not have "_total" suffix']
      : [];
  },
  reservedNames,
  ({ name, type }) => {
    if (type === 'unknown') return [];
    const types = ['counter', 'gauge', 'summary', 'histogram', 'gauge_histogram'];
    const lower = name.toLowerCase();
    return types
      .filter((one) => lower.includes(`_${one}_`) || lower.endsWith(`_${one}`))
      .map((one) => `metric name should not include type '${one}'`);
  },
  ({ name }) => (name.includes(':') ? ["metric names should not contain ':'"] : []),
  ({ name, labelNames }) => [
    ...(isCamelCase(name)
      ? ["metric names should be written in 'snake_case' not 'camelCase'"]
      : []),
    ...[...labelNames]
      .filter(isCamelCase)
      .map(() => "label names should be written in 'snake_case' not 'camelCase'"),
  ],
  ({ name }) =>
    ABBREVIATIONS.test(name.toLowerCase())
      ? ['metric names should not contain abbreviated units']
      : [],
];

function reservedNames({ name, type, labelNames }: LintedFamily): readonly string[] {
  if (type === 'unknown') return [];
  const problems: string[] = [];
  const isHistogram = type === 'histogram';
  const isSummary = type === 'summary';
  if (!isHistogram && name.endsWith('_bucket'))
    problems.push('non-histogram metrics should not have "_bucket" suffix');
  for (const ending of ['_count', '_sum']) {
    if (!isHistogram && !isSummary && name.endsWith(ending))
      problems.push(`non-histogram and non-summary metrics should not have "${ending}" suffix`);
  }
  if (!isHistogram && labelNames.has('le'))
    problems.push('non-histogram metrics should not have "le" label');
  if (!isSummary && labelNames.has('quantile'))
    problems.push('non-summary metrics should not have "quantile" label');
  return problems;
}

function nonBaseUnit(name: string): readonly string[] {
  for (const part of name.split('_')) {
    const base = UNITS[part] ?? UNITS[part.replace(PREFIXES, '')];
    if (base !== undefined && base !== part)
      return [`use base unit "${base}" instead of "${part}"`];
  }
  return [];
}

function isCamelCase(name: string): boolean {
  return /[a-z][A-Z]/.test(name);
}
