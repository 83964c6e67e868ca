import type { Env } from '@pollux/base';
import { type Labels, LabelsBuilder, wordsOf } from '@pollux/model';
import { MemoryBudget, NO_HINTS, type SeriesColumns } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { ReadOnlyTsdb } from '@pollux/tsdb';
import { EVERY_SERIES } from '../database.ts';
import type { SampleSource, SampleTarget } from './sample-source.ts';

export type PrometheusSourceOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly directory: string;
  /** Only what is in the logs and in no block. */
  readonly onlyLogs: boolean;
  readonly extra: Readonly<Record<string, string>>;
};

const ALL_TIME = { minMs: Number.MIN_SAFE_INTEGER, maxMs: Number.MAX_SAFE_INTEGER };

/** The samples of a data directory of Prometheus or of this program; nothing in it is changed. */
export function prometheusSource(options: PrometheusSourceOptions): SampleSource {
  const { env, log, directory, onlyLogs } = options;
  return async (target) => {
    const database = await ReadOnlyTsdb.open({ directory, env, log });
    const request = { range: ALL_TIME, matchers: EVERY_SERIES, hints: NO_HINTS, sorted: true };
    const context = {
      signal: new AbortController().signal,
      budget: MemoryBudget.unlimited(),
    };
    const source = onlyLogs
      ? database.selectFromLogs(request, context)
      : database.select(request, context);
    try {
      const extra = Object.entries(options.extra);
      for (let batch = await source.next(); batch !== null; batch = await source.next()) {
        for (const columns of batch) {
          addSeries(columns, extra, target);
          await target.pause(0, 0);
        }
      }
    } finally {
      source.close();
      database.close();
    }
  };
}

function addSeries(
  { labels, count, timestampsMs, values, histograms }: SeriesColumns,
  extra: readonly (readonly [string, string])[],
  target: SampleTarget,
): void {
  const words = wordsOf(values);
  const key = labels.key();
  const withExtra = (): Labels => {
    const builder = new LabelsBuilder(labels);
    for (const [name, value] of extra) builder.set(name, value);
    return builder.build();
  };
  let left = 0;
  for (let i = 0; i < count; i++) {
    if ((histograms?.[i] ?? null) !== null) {
      left++;
      continue;
    }
    target.add(key, withExtra, {
      timestampMs: timestampsMs[i]!,
      valueLow: words[i * 2]!,
      valueHigh: words[i * 2 + 1]!,
    });
  }
  target.leftOut('native histograms', left);
}
