import type { HttpResponse } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import {
  compareText,
  formatFloat,
  INSTANCE_LABEL,
  isLegacyLabelName,
  isLegacyMetricName,
  isStaleAt,
  type Labels,
  METRIC_NAME,
  quoteText,
  wordsOf,
} from '@pollux/model';
import { NO_HINTS, type Queryable, type ReadContext, type SeriesColumns } from '@pollux/storage';
import { ApiError } from './wire/errors.ts';
import { selector } from './wire/parameters.ts';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8';

export type FederateOptions = {
  readonly queryable: Queryable;
  readonly lookbackMs: number;
  readonly externalLabels: () => Labels;
};

/**
 * /federate: the newest sample of each matching series within the lookback, as an exposition. External labels are added
 * where a series lacks them, and an empty `instance`, so that the scraping server puts none of its own there.
 */
export async function federate(
  exchange: Exchange,
  nowMs: number,
  context: ReadContext,
  options: FederateOptions,
): Promise<HttpResponse> {
  const sets = exchange.query.getAll('match[]');
  const range = { minMs: nowMs - options.lookbackMs, maxMs: nowMs };
  const hints = { ...NO_HINTS, startMs: range.minMs, endMs: range.maxMs };
  const lines = new Map<string, FederatedSample>();
  for (const text of sets) {
    const matchers = parsedSelector(text);
    const source = options.queryable.select({ range, matchers, hints, sorted: false }, context);
    try {
      for (let batch = await source.next(); batch !== null; batch = await source.next()) {
        for (const series of batch) {
          const sample = newestSample(series, range.minMs);
          if (sample !== null) lines.set(series.labels.key(), sample);
        }
      }
    } finally {
      source.close();
    }
  }
  return {
    status: 200,
    headers: { 'content-type': CONTENT_TYPE },
    body: exposition([...lines.values()], options.externalLabels()),
  };
}

type FederatedSample = {
  readonly labels: Labels;
  readonly timestampMs: number;
  readonly value: number;
};

function parsedSelector(text: string): ReturnType<typeof selector> {
  const matchers = selector(text);
  if (matchers.length === 0) {
    throw new ApiError('bad_data', 'match[] must contain at least one non-empty matcher');
  }
  return matchers;
}

/** Null for a series that ended, is nameless, or is a native histogram, which the text format cannot carry. */
function newestSample(series: SeriesColumns, afterMs: number): FederatedSample | null {
  const last = series.count - 1;
  if (last < 0 || series.labels.metricName === '') return null;
  const timestampMs = series.timestampsMs[last]!;
  if (timestampMs <= afterMs || (series.histograms?.[last] ?? null) !== null) return null;
  if (isStaleAt(wordsOf(series.values), last)) return null;
  return { labels: series.labels, timestampMs, value: series.values[last]! };
}

function exposition(samples: readonly FederatedSample[], external: Labels): string {
  const added: [string, string][] = [...external].map(([name, value]) => [name, value]);
  if (!external.has(INSTANCE_LABEL)) added.push([INSTANCE_LABEL, '']);
  added.sort(([a], [b]) => compareText(a, b));
  const sorted = [...samples].sort(
    (a, b) => compareText(a.labels.metricName, b.labels.metricName) || a.labels.compare(b.labels),
  );
  const lines: string[] = [];
  let family = '';
  for (const { labels, timestampMs, value } of sorted) {
    const name = labels.metricName;
    if (name !== family) {
      lines.push(`# TYPE ${isLegacyMetricName(name) ? name : quoteText(name)} untyped`);
      family = name;
    }
    lines.push(`${seriesText(labels, added)} ${formatFloat(value)} ${timestampMs}`);
  }
  lines.push('');
  return lines.join('\n');
}

function seriesText(labels: Labels, added: readonly (readonly [string, string])[]): string {
  const name = labels.metricName;
  const pairs: string[] = isLegacyMetricName(name) ? [] : [quoteText(name)];
  const own = new Set<string>();
  for (const [label, value] of labels) {
    own.add(label);
    if (label !== METRIC_NAME) pairs.push(pairText(label, value));
  }
  for (const [label, value] of added) if (!own.has(label)) pairs.push(pairText(label, value));
  const head = isLegacyMetricName(name) ? name : '';
  return `${head}{${pairs.join(',')}}`;
}

function pairText(name: string, value: string): string {
  const escaped = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
  return `${isLegacyLabelName(name) ? name : quoteText(name)}="${escaped}"`;
}
