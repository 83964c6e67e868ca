import { OperatingError } from '@pollux/base';
import { compareText, METRIC_NAME, parseFloatText, quoteText } from '@pollux/model';
import { floatF, floatG } from '../command/go-text.ts';

type Metric = Readonly<Record<string, string>>;
type Bucket = readonly [number, string, string, string];
type HistogramJson = {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly Bucket[];
};
type Point<T> = readonly [number, T];
type SeriesJson = {
  readonly metric: Metric;
  readonly value?: Point<string>;
  readonly values?: readonly Point<string>[];
  readonly histogram?: Point<HistogramJson>;
  readonly histograms?: readonly Point<HistogramJson>[];
};

/** A metric in PromQL: `up{job="a"}`, `{}` for one without labels. */
function metricText(metric: Metric): string {
  const name = metric[METRIC_NAME];
  const pairs = Object.entries(metric)
    .filter(([label]) => name === undefined || label !== METRIC_NAME)
    .map(([label, value]) => `${label}=${quoteText(value)}`)
    .sort(compareText);
  if (pairs.length === 0) return name ?? '{}';
  return `${name ?? ''}{${pairs.join(', ')}}`;
}

/** A set of labels, its name among them: `{__name__="up", job="a"}`. */
export function labelSetText(metric: Metric): string {
  const pairs = Object.entries(metric).map(([label, value]) => `${label}=${quoteText(value)}`);
  return `{${pairs.sort(compareText).join(', ')}}`;
}

/** The result of a query as promtool prints it with `-o promql`, without the last line end. */
export function resultText(resultType: string, result: unknown): string {
  switch (resultType) {
    case 'scalar': {
      const [time, value] = result as Point<string>;
      return `scalar: ${valueText(value)} @[${floatF(time)}]`;
    }
    case 'vector':
      return (result as readonly SeriesJson[])
        .map(({ metric, value, histogram }) => {
          const point = value === undefined ? histogramPoint(histogram!) : floatPoint(value);
          return `${metricText(metric)} => ${point}`;
        })
        .join('\n');
    case 'matrix':
      return (result as readonly SeriesJson[])
        .map(({ metric, values = [], histograms = [] }) =>
          [
            `${metricText(metric)} =>`,
            ...values.map(floatPoint),
            ...histograms.map(histogramPoint),
          ].join('\n'),
        )
        .join('\n');
    default:
      throw unexpectedType(resultType);
  }
}

/** The result as `-o json` prints it: the value alone, members in Go's order. */
export function resultJson(resultType: string, result: unknown): unknown {
  if (resultType === 'scalar') return plainPoints('value', result);
  if (resultType !== 'vector' && resultType !== 'matrix') throw unexpectedType(resultType);
  return (result as readonly SeriesJson[]).map(({ metric, ...points }) => ({
    metric: Object.fromEntries(Object.entries(metric).sort(([a], [b]) => compareText(a, b))),
    ...Object.fromEntries(
      Object.entries(points).map(([key, held]) => [key, plainPoints(key, held)]),
    ),
  }));
}

/** Floats are printed without exponents, unlike in the API's answer. */
function plainPoints(key: string, held: unknown): unknown {
  const plain = ([time, value]: Point<string>): Point<string> => [time, valueText(value)];
  if (key === 'value') return plain(held as Point<string>);
  return key === 'values' ? (held as readonly Point<string>[]).map(plain) : held;
}

function floatPoint([time, value]: Point<string>): string {
  return `${valueText(value)} @[${floatF(time)}]`;
}

function histogramPoint([time, { count, sum, buckets = [] }]: Point<HistogramJson>): string {
  const shown = buckets.map(([bounds, lower, upper, held]) => {
    const open = bounds === 1 || bounds === 3 ? '[' : '(';
    const close = bounds === 0 || bounds === 3 ? ']' : ')';
    return `${open}${gText(lower)},${gText(upper)}${close}:${held}`;
  });
  const fixed = (text: string): string => Number(text).toFixed(6);
  return `Count: ${fixed(count)}, Sum: ${fixed(sum)}, Buckets: [${shown.join(' ')}] @[${floatF(time)}]`;
}

function valueText(text: string): string {
  return floatF(parseFloatText(text) ?? Number.NaN);
}

function gText(text: string): string {
  return floatG(parseFloatText(text) ?? Number.NaN);
}

function unexpectedType(resultType: string): OperatingError {
  return new OperatingError(
    'ROLES.QUERY',
    `query error: unexpected value type ${JSON.stringify(resultType)}`,
  );
}
