import { CanceledError, Slices } from '@pollux/base';
import type { Exemplar, Labels, Matcher } from '@pollux/model';
import {
  type ExemplarSeries,
  type ReadContext,
  splitReplica,
  type TimeRange,
} from '@pollux/storage';
import { exemplarOfText } from '../samples/exemplar-text.ts';
import type { StoreView, ViewSeries } from '../store-view.ts';
import { EXEMPLAR_FIELD, labelsOf } from './prometheus-mapping.ts';
import { measurementsOf, nanoRange, seriesOf } from './select-series.ts';
import type { ShardQueryableOptions } from './shown-part.ts';

/** Of an exemplar beside its labels' texts. */
const EXEMPLAR_BYTES = 200;

/**
 * Exemplars in the range of the series that pass one of the sets, sorted by labels, each oldest first. What several replicas
 * have is united: servers meet different exemplars of one series, and one that two have scraped comes once.
 */
export async function selectExemplars(
  { store, database, retentionPolicy, replicaLabels }: ShardQueryableOptions,
  wanted: { readonly range: TimeRange; readonly matcherSets: readonly (readonly Matcher[])[] },
  { signal, budget }: ReadContext,
): Promise<readonly ExemplarSeries[]> {
  const range = nanoRange(wanted.range);
  await store.prepare(database, retentionPolicy, range);
  if (signal.aborted) throw new CanceledError('the read was given up', { cause: signal.reason });
  const view = store.view(database, retentionPolicy, range);
  const found = new Map<string, ExemplarSeries>();
  try {
    const slices = new Slices(store.clock, signal);
    const hasExemplars = (series: ViewSeries): boolean =>
      view.hasField(series, EXEMPLAR_FIELD, 'string');
    for (const matchers of wanted.matcherSets) {
      const { matchers: filters } = splitReplica(matchers, replicaLabels);
      for (const measurement of measurementsOf(view, filters)) {
        for (const series of seriesOf(view, measurement, filters, hasExemplars)) {
          if (slices.isOver) await slices.pause();
          const labels = labelsOf(series.measurement, series.tags);
          const key = labels.key();
          if (found.has(key)) continue;
          const exemplars = exemplarsOf(view, series);
          for (const exemplar of exemplars) budget.take(bytesOf(exemplar.labels));
          if (exemplars.length > 0) found.set(key, { labels, exemplars });
        }
      }
    }
  } finally {
    view.release();
  }
  return [...found.values()].sort((a, b) => a.labels.compare(b.labels));
}

function exemplarsOf(view: StoreView, series: ViewSeries): Exemplar[] {
  const united = new Map<string, Exemplar & { readonly timestampMs: number }>();
  for (const { data } of view.read(series, EXEMPLAR_FIELD, 'string')) {
    for (let i = 0; i < data.count; i++) {
      const text = data.texts?.[data.cells[i]!] ?? '';
      const exemplar = exemplarOfText(text, data.timesMs[i]!);
      if (exemplar !== null) united.set(`${exemplar.timestampMs} ${text}`, exemplar);
    }
  }
  return [...united.values()].sort((a, b) => a.timestampMs - b.timestampMs);
}

function bytesOf(labels: Labels): number {
  let bytes = EXEMPLAR_BYTES;
  for (const [name, value] of labels) bytes += (name.length + value.length) * 2;
  return bytes;
}
