import { CanceledError, Slices, type StopSignal } from '@pollux/base';
import { compareText, type Labels, type Matcher } from '@pollux/model';
import {
  type Annotation,
  chooseCopy,
  DEFAULT_COPY_CHOICE,
  type ExemplarQueryable,
  type ExemplarSeries,
  type NamesAnswer,
  type Queryable,
  type ReadContext,
  type SelectRequest,
  type SeriesColumns,
  type SeriesSource,
  splitReplica,
  type TimeRange,
} from '@pollux/storage';
import type { StoreView, ViewSeries } from '../store-view.ts';
import { bytesOf, columnsOfCopy } from './prometheus-columns.ts';
import { HISTOGRAM_FIELD, labelsOf, VALUE_FIELD } from './prometheus-mapping.ts';
import { selectExemplars } from './select-exemplars.ts';
import { measurementsOf, nanoRange, seriesOf, sortByLabels } from './select-series.ts';
import type { ShardQueryableOptions } from './shown-part.ts';

const BATCH_SERIES = 64;

/**
 * Prometheus' view of one (database, retention policy): float fields named `value` and native histograms, a series per
 * measurement and tags, one replica's copy each. An equality matcher on a replica label is a preference for that copy, not a filter.
 */
export class ShardQueryable implements Queryable, ExemplarQueryable {
  readonly #options: ShardQueryableOptions;

  constructor(options: ShardQueryableOptions) {
    this.#options = options;
  }

  select(request: SelectRequest, context: ReadContext): SeriesSource {
    return new ShardSource(this.#options, request, context);
  }

  async labelNames(
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    const names = new Set<string>();
    await this.#eachLabels(range, matchers, context, (labels) => {
      for (const [name] of labels) names.add(name);
    });
    return answer(names, limit);
  }

  async labelValues(
    name: string,
    range: TimeRange,
    matchers: readonly Matcher[],
    limit: number,
    context: ReadContext,
  ): Promise<NamesAnswer> {
    const values = new Set<string>();
    await this.#eachLabels(range, matchers, context, (labels) => {
      if (labels.has(name)) values.add(labels.get(name));
    });
    return answer(values, limit);
  }

  selectExemplars(
    range: TimeRange,
    matcherSets: readonly (readonly Matcher[])[],
    context: ReadContext,
  ): Promise<readonly ExemplarSeries[]> {
    return selectExemplars(this.#options, { range, matcherSets }, context);
  }

  async #eachLabels(
    range: TimeRange,
    matchers: readonly Matcher[],
    context: ReadContext,
    visit: (labels: Labels) => void,
  ): Promise<void> {
    const { store, database, retentionPolicy, replicaLabels } = this.#options;
    await store.prepare(database, retentionPolicy, nanoRange(range));
    const view = store.view(database, retentionPolicy, nanoRange(range));
    try {
      const { matchers: filters } = splitReplica(matchers, replicaLabels);
      const slices = new Slices(store.clock, context.signal);
      for (const measurement of measurementsOf(view, filters)) {
        for (const series of seriesOf(view, measurement, filters, hasSamples(view))) {
          visit(labelsOf(series.measurement, series.tags));
          if (slices.isOver) await slices.pause();
        }
      }
    } finally {
      view.release();
    }
  }
}

/** What is asked for by the hint that only labels are wanted. */
const WITHOUT_SAMPLES = {
  count: 0,
  timestampsMs: new Float64Array(0),
  values: new Float64Array(0),
  histograms: null,
  startTimestampsMs: null,
  replica: '',
};

class ShardSource implements SeriesSource {
  readonly warnings: readonly Annotation[] = [];
  readonly #options: ShardQueryableOptions;
  readonly #request: SelectRequest;
  readonly #context: ReadContext;
  readonly #filters: readonly Matcher[];
  readonly #preferred: string | null;
  /** Opened by the first {@link next}. */
  #view: StoreView | null = null;
  #series: ViewSeries[] = [];
  #next = 0;
  #takenBytes = 0;
  #isClosed = false;

  constructor(options: ShardQueryableOptions, request: SelectRequest, context: ReadContext) {
    const { matchers: filters, preferredReplica } = splitReplica(
      request.matchers,
      options.replicaLabels,
    );
    this.#options = options;
    this.#request = request;
    this.#context = context;
    this.#filters = filters;
    this.#preferred = preferredReplica;
  }

  async #open(): Promise<StoreView> {
    const { store, database, retentionPolicy } = this.#options;
    const range = nanoRange(this.#request.range);
    await store.prepare(database, retentionPolicy, range);
    throwIfAborted(this.#context.signal);
    if (this.#isClosed) throw new CanceledError('the read was given up');
    const view = store.view(database, retentionPolicy, range);
    try {
      const slices = new Slices(store.clock, this.#context.signal);
      for (const measurement of measurementsOf(view, this.#filters)) {
        for (const series of seriesOf(view, measurement, this.#filters, hasSamples(view)))
          this.#series.push(series);
        if (slices.isOver) await slices.pause();
      }
      if (this.#isClosed) throw new CanceledError('the read was given up');
      if (this.#request.sorted) sortByLabels(this.#series);
    } catch (error) {
      view.release();
      throw error;
    }
    this.#view = view;
    return view;
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    throwIfAborted(this.#context.signal);
    this.#context.budget.give(this.#takenBytes);
    this.#takenBytes = 0;
    if (this.#isClosed) return null;
    const view = this.#view ?? (await this.#open());
    const batch: SeriesColumns[] = [];
    while (batch.length < BATCH_SERIES && this.#next < this.#series.length) {
      const columns = this.#read(view, this.#series[this.#next++]!);
      if (columns !== null) batch.push(columns);
    }
    if (batch.length > 0) return batch;
    this.close();
    return null;
  }

  #read(view: StoreView, series: ViewSeries): SeriesColumns | null {
    const labels = labelsOf(series.measurement, series.tags);
    if (this.#request.hints.func === 'series') {
      const isThere = view.touches(series, VALUE_FIELD) || view.touches(series, HISTOGRAM_FIELD);
      return isThere ? { ...WITHOUT_SAMPLES, labels } : null;
    }
    const texts = view.read(series, HISTOGRAM_FIELD, 'string');
    const copies: SeriesColumns[] = [];
    for (const { replica, data } of view.read(series, VALUE_FIELD, 'float')) {
      const at = texts.findIndex((copy) => copy.replica === replica);
      const [text = null] = at < 0 ? [] : texts.splice(at, 1);
      copies.push(columnsOfCopy({ labels, replica }, data, text?.data ?? null));
    }
    for (const { replica, data } of texts) {
      const columns = columnsOfCopy({ labels, replica }, null, data);
      if (columns.count > 0) copies.push(columns);
    }
    if (copies.length === 0) return null;
    const chosen = chooseCopy(copies, {
      ...DEFAULT_COPY_CHOICE,
      preferredReplica: this.#preferred,
    });
    const bytes = bytesOf(chosen);
    this.#takenBytes += bytes;
    this.#context.budget.take(bytes);
    return chosen;
  }

  close(): void {
    this.#isClosed = true;
    this.#series = [];
    this.#context.budget.give(this.#takenBytes);
    this.#takenBytes = 0;
    this.#view?.release();
  }
}

function hasSamples(view: StoreView): (series: ViewSeries) => boolean {
  return (series) =>
    view.hasField(series, VALUE_FIELD, 'float') || view.hasField(series, HISTOGRAM_FIELD, 'string');
}

function answer(values: ReadonlySet<string>, limit: number): NamesAnswer {
  const sorted = [...values].sort(compareText);
  return { values: limit > 0 ? sorted.slice(0, limit) : sorted, warnings: [] };
}

function throwIfAborted(signal: StopSignal): void {
  if (signal.aborted) throw new CanceledError('the read was given up', { cause: signal.reason });
}
