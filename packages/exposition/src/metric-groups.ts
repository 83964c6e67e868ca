import {
  BUCKET_LABEL,
  histogramFault,
  type Labels,
  LabelsBuilder,
  METRIC_NAME,
  parseFloatText,
} from '@pollux/model';
import { ClassicHistogram } from './classic-histogram.ts';
import type { FamilyTable } from './family-table.ts';
import type { SampleColumns } from './sample-columns.ts';
import type { NewSeries, SeriesExemplar, SeriesHistogram } from './scrape-parser.ts';

const QUANTILE_LABEL = 'quantile';
const CREATED_SUFFIX = '_created';

type Role = 'bucket' | 'count' | 'sum' | 'value' | 'created';

/** Which lines of a target belong together; all off means that nobody asks. */
export type GroupOptions = {
  /** Classic histograms become native ones with custom buckets … */
  readonly toCustomBuckets: boolean;
  /** … and are kept beside them. */
  readonly alwaysClassic: boolean;
  /** `_created` tells when the samples of its metric began to count, and is no sample itself. */
  readonly startTimes: boolean;
};

/** The samples of one metric: equal labels but for bucket bound and quantile. */
class Group {
  readonly base: Labels;
  readonly isHistogram: boolean;
  readonly classic = new ClassicHistogram();
  /** Ids of series that nobody else knows, so that they live and end with the group. */
  readonly hidden = new Set<number>();
  /** Of the series that the histogram is stored under; -1 while it has none. */
  histogramId = -1;
  scrape = 0;
  startMs = 0;
  timestampMs = Number.NaN;
  /** Hidden series that the scrape brought. */
  seen = 0;

  constructor(base: Labels, isHistogram: boolean) {
    this.base = base;
    this.isHistogram = isHistogram;
  }

  begin(scrape: number): void {
    this.scrape = scrape;
    this.classic.clear();
    this.startMs = 0;
    this.timestampMs = Number.NaN;
    this.seen = 0;
  }
}

type Member = {
  readonly group: Group;
  readonly role: Role;
  readonly bound: number;
  /** The scrape that brought it last. */
  seenIn: number;
};

/** Where a template keeps its series. */
export interface SeriesIds {
  /** An id for a series that no line spells. */
  adopt(labels: Labels): number;
  forget(id: number): void;
}

/**
 * Reads text samples by the metric that they are of. Each series is classified once, when it is new; a scrape then costs two
 * walks over its samples. Families of a type that has no groups, and lines before any TYPE, are left as they are.
 */
export class MetricGroups {
  readonly #options: GroupOptions;
  readonly #families: FamilyTable;
  readonly #ids: SeriesIds;
  readonly #groups = new Map<string, Group>();
  /** By series id. */
  readonly #members: (Member | null)[] = [];
  readonly #byHistogram = new Map<number, Group>();
  #scrape = 0;

  constructor(options: GroupOptions, families: FamilyTable, ids: SeriesIds) {
    this.#options = options;
    this.#families = families;
    this.#ids = ids;
  }

  /** To be told of every series that the template forgets. */
  forget(id: number): void {
    const member = this.#members[id];
    if (member !== null && member !== undefined) {
      member.group.hidden.delete(id);
      this.#members[id] = null;
    }
    const group = this.#byHistogram.get(id);
    if (group === undefined) return;
    group.histogramId = -1;
    this.#byHistogram.delete(id);
  }

  /**
   * Goes over what a scrape brought: takes samples out of `columns` that are part of something else, and gives the
   * histograms. `newSeries` and `exemplars` are changed in place, too.
   */
  gather(
    columns: SampleColumns,
    newSeries: NewSeries[],
    exemplars: SeriesExemplar[],
  ): SeriesHistogram[] {
    this.#scrape++;
    for (const { id, labels } of newSeries) this.#classify(id, labels);
    keepOnly(newSeries, ({ id }) => !this.#isHidden(id));
    const touched = this.#readMembers(columns);
    const histograms: SeriesHistogram[] = [];
    for (const group of touched) this.#convert(group, newSeries, histograms);
    this.#takeOut(columns);
    this.#moveExemplars(exemplars);
    this.#forgetUnseen(touched);
    return histograms;
  }

  #classify(id: number, labels: Labels): void {
    this.#members[id] = null;
    const found = this.#partOf(labels);
    if (found === null) return;
    const { family, role, isHistogram } = found;
    let bound = Number.NaN;
    if (role === 'bucket') {
      bound = parseFloatText(labels.get(BUCKET_LABEL)) ?? Number.NaN;
      if (Number.isNaN(bound)) return;
    }
    const base = new LabelsBuilder(labels).set(METRIC_NAME, family);
    base.delete(isHistogram ? BUCKET_LABEL : QUANTILE_LABEL);
    const baseLabels = base.build();
    const key = baseLabels.key();
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new Group(baseLabels, isHistogram);
      this.#groups.set(key, group);
    }
    this.#members[id] = { group, role, bound, seenIn: 0 };
    if (this.#isHidden(id)) group.hidden.add(id);
  }

  #partOf(
    labels: Labels,
  ): { readonly family: string; readonly role: Role; readonly isHistogram: boolean } | null {
    const { toCustomBuckets, startTimes } = this.#options;
    const name = labels.metricName;
    const at = name.lastIndexOf('_');
    const family = at < 0 ? name : name.slice(0, at);
    const suffix = at < 0 ? '' : name.slice(at);
    const type = this.#families.typeOf(family);
    if (type === 'histogram' && (toCustomBuckets || startTimes)) {
      const role = HISTOGRAM_ROLES[suffix];
      if (role !== undefined && (role !== 'created' || startTimes))
        return { family, role, isHistogram: true };
    }
    if (!startTimes) return null;
    if (type === 'counter' && (suffix === '_total' || suffix === CREATED_SUFFIX))
      return { family, role: suffix === '_total' ? 'value' : 'created', isHistogram: false };
    if (type === 'summary') {
      const role = HISTOGRAM_ROLES[suffix];
      if (role !== undefined && role !== 'bucket') return { family, role, isHistogram: false };
    }
    const isQuantile = labels.has(QUANTILE_LABEL) && this.#families.typeOf(name) === 'summary';
    return isQuantile ? { family: name, role: 'value', isHistogram: false } : null;
  }

  #isHidden(id: number): boolean {
    const member = this.#members[id];
    if (member === null || member === undefined) return false;
    const { toCustomBuckets, alwaysClassic } = this.#options;
    if (member.role === 'created') return true;
    return member.group.isHistogram && toCustomBuckets && !alwaysClassic;
  }

  #readMembers(columns: SampleColumns): Group[] {
    const touched: Group[] = [];
    for (let i = 0; i < columns.count; i++) {
      const id = columns.seriesIds[i]!;
      const member = this.#members[id];
      if (member === null || member === undefined) continue;
      const { group, role } = member;
      if (group.scrape !== this.#scrape) {
        group.begin(this.#scrape);
        touched.push(group);
      }
      if (member.seenIn !== this.#scrape && group.hidden.has(id)) group.seen++;
      member.seenIn = this.#scrape;
      const value = columns.values[i]!;
      if (role === 'created') {
        group.startMs = Number.isFinite(value) ? Math.trunc(value * 1_000) : 0;
        continue;
      }
      group.timestampMs = columns.timestamps[i]!;
      if (!group.isHistogram) continue;
      if (role === 'bucket') group.classic.addBucket(member.bound, value);
      else if (role === 'count') group.classic.setCount(value);
      else group.classic.setSum(value);
    }
    return touched;
  }

  /** Samples that contradict each other make no histogram, as in Prometheus. */
  #convert(group: Group, newSeries: NewSeries[], histograms: SeriesHistogram[]): void {
    if (!this.#options.toCustomBuckets || !group.isHistogram || group.classic.isEmpty) return;
    const histogram = group.classic.convert(false);
    if (histogram === null || histogramFault(histogram) !== null) return;
    if (group.histogramId < 0) {
      group.histogramId = this.#ids.adopt(group.base);
      this.#members[group.histogramId] = null;
      this.#byHistogram.set(group.histogramId, group);
      newSeries.push({ id: group.histogramId, labels: group.base });
    }
    const { histogramId: id, timestampMs, startMs: startTimestampMs } = group;
    histograms.push({ id, histogram, timestampMs, startTimestampMs });
  }

  #takeOut(columns: SampleColumns): void {
    let kept = 0;
    for (let i = 0; i < columns.count; i++) {
      const id = columns.seriesIds[i]!;
      if (this.#isHidden(id)) continue;
      if (kept < i) columns.move(i, kept);
      columns.setStart(kept, this.#members[id]?.group.startMs ?? 0);
      kept++;
    }
    columns.count = kept;
  }

  /** Exemplars of buckets are the histogram's, too, where they have the time that it needs. */
  #moveExemplars(exemplars: SeriesExemplar[]): void {
    const moved: SeriesExemplar[] = [];
    for (const { id, exemplar } of exemplars) {
      const group = this.#members[id]?.group;
      if (group === undefined || group.histogramId < 0 || exemplar.timestampMs === null) continue;
      moved.push({ id: group.histogramId, exemplar });
    }
    keepOnly(exemplars, ({ id }) => !this.#isHidden(id));
    exemplars.push(...moved);
  }

  /** Hidden series are known to nobody else, so their end is found out here. */
  #forgetUnseen(touched: readonly Group[]): void {
    for (const group of touched)
      if (group.seen < group.hidden.size) this.#forgetHidden(group, this.#scrape);
    if (touched.length === this.#groups.size) return;
    for (const [key, group] of this.#groups) {
      if (group.scrape === this.#scrape) continue;
      this.#forgetHidden(group, this.#scrape);
      this.#groups.delete(key);
    }
  }

  #forgetHidden(group: Group, scrape: number): void {
    for (const id of [...group.hidden])
      if (this.#members[id]?.seenIn !== scrape) this.#ids.forget(id);
  }
}

const HISTOGRAM_ROLES: Readonly<Record<string, Role | undefined>> = {
  _bucket: 'bucket',
  _count: 'count',
  _sum: 'sum',
  [CREATED_SUFFIX]: 'created',
};

function keepOnly<T>(list: T[], isKept: (item: T) => boolean): void {
  let kept = 0;
  for (const item of list) if (isKept(item)) list[kept++] = item;
  list.length = kept;
}
