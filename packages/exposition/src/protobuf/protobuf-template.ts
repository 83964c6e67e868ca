import { InputError, ProtoReader, WIRE } from '@pollux/base';
import { Labels, METRIC_NAME, type Metadata, type MetricType } from '@pollux/model';
import { ClassicHistogram } from '../classic-histogram.ts';
import { FamilyTable } from '../family-table.ts';
import { formatOpenMetricsFloat } from '../float.ts';
import { SampleColumns } from '../sample-columns.ts';
import type {
  HistogramOptions,
  NewSeries,
  ScrapeParser,
  SeriesExemplar,
  SeriesHistogram,
} from '../scrape-parser.ts';
import { readExemplar, readLabelPair } from './exemplar-message.ts';
import { HistogramMessage, NO_EXEMPLAR } from './histogram-message.ts';
import { KnownFamily, type KnownMetric } from './metric-table.ts';
import { readTimestamp } from './timestamp.ts';

/** In the order of the enum `MetricType`. */
const TYPES: readonly MetricType[] = [
  'counter',
  'gauge',
  'summary',
  'unknown',
  'histogram',
  'gaugehistogram',
];
/** The field of `Metric` that holds the value of each type. */
const VALUE_FIELDS: Readonly<Record<string, number>> = {
  gauge: 2,
  counter: 3,
  summary: 4,
  unknown: 5,
  histogram: 7,
  gaugehistogram: 7,
};
const LABEL_FIELD = 1;
const TIMESTAMP_FIELD = 6;

/** Positions of a metric's series. Those of quantiles and buckets follow, in the order of {@link KnownMetric.bounds}. */
const VALUE = 0;
const COUNT = 0;
const SUM = 1;
const NATIVE = 2;
const FIRST_BOUND = 3;

/**
 * Parses the scrapes of one target in the protobuf format. Labels stay from scrape to scrape, so their bytes are compared,
 * in the order of the last scrape, and not decoded; a metric that stands elsewhere is looked up by its bytes.
 */
export class ProtobufTemplate implements ScrapeParser {
  readonly format = 'protobuf';
  readonly columns = new SampleColumns();
  newSeries: NewSeries[] = [];
  histograms: SeriesHistogram[] = [];
  exemplars: SeriesExemplar[] = [];
  /** Metrics of the last scrape that stood where they were expected, of all; for tests and benchmarks. */
  recognisedMetrics = 0;
  metrics = 0;
  readonly #options: HistogramOptions;
  readonly #table = new FamilyTable();
  readonly #families = new Map<string, KnownFamily>();
  readonly #owners: (KnownMetric | null)[] = [];
  /** Position of each id in its owner. */
  readonly #positions: number[] = [];
  readonly #free: number[] = [];
  readonly #histogram = new HistogramMessage();
  readonly #classic = new ClassicHistogram();
  #reader = new ProtoReader(new Uint8Array(0));
  #buffer: Buffer = Buffer.alloc(0);
  #scrape = 0;
  /** Families in the order of the last scrape, and of this one. */
  #order: KnownFamily[] = [];
  #next: KnownFamily[] = [];
  /** Of the metric at hand: where its label messages lie, and their pairs once somebody needed them. */
  readonly #labelSpans: number[] = [];
  #labelPairs: (readonly [string, string])[] | null = null;
  #timestampMs = Number.NaN;

  constructor(options: HistogramOptions) {
    this.#options = options;
  }

  metadata(): IterableIterator<readonly [string, Metadata]> {
    return this.#table.entries();
  }

  get metadataSize(): number {
    return this.#table.size;
  }

  release(ids: readonly number[]): void {
    for (const id of ids) {
      const metric = this.#owners[id];
      if (metric === null || metric === undefined) continue;
      this.#owners[id] = null;
      metric.setId(this.#positions[id]!, -1);
      this.#free.push(id);
      if (!metric.isEmpty) continue;
      const { family } = metric;
      metric.isGone = true;
      family.metrics.delete(metric.key);
      if (family.metrics.size > 0) continue;
      family.isGone = true;
      this.#families.delete(familyKey(family.name, family.type));
    }
  }

  parse(bytes: Uint8Array): void {
    this.columns.count = 0;
    this.newSeries = [];
    this.histograms = [];
    this.exemplars = [];
    this.recognisedMetrics = 0;
    this.metrics = 0;
    this.#scrape++;
    this.#table.begin();
    const spare = this.#order;
    this.#order = this.#next;
    this.#next = spare;
    spare.length = 0;
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const reader = new ProtoReader(bytes);
    this.#reader = reader;
    try {
      while (!reader.isAtEnd) {
        const outer = reader.enter();
        this.#readFamily(reader);
        reader.leave(outer);
      }
    } catch (error) {
      this.release(this.newSeries.map(({ id }) => id));
      this.newSeries = [];
      throw error;
    }
    this.#table.end();
  }

  #readFamily(reader: ProtoReader): void {
    const start = reader.offset;
    let firstMetric = -1;
    let hasTail = false;
    while (!reader.isAtEnd) {
      const at = reader.offset;
      const tag = reader.tag();
      if (tag === 0x22) {
        if (firstMetric < 0) firstMetric = at;
      } else if (firstMetric >= 0) hasTail = true;
      reader.skip(tag);
    }
    // Without a metric a family says nothing, as in Prometheus.
    if (firstMetric < 0) return;
    const head = this.#buffer.subarray(start, hasTail ? start : firstMetric);
    const expected = this.#order[this.#next.length];
    const isExpected = expected?.hasHead(head) === true;
    const family = isExpected ? expected : this.#familyOf(reader, start, firstMetric, hasTail);
    if (isExpected) {
      this.#table.see(family.index);
      this.#table.setTypeAt(family.index, family.type);
    } else family.setHead(head);
    this.#next.push(family);
    family.begin(this.#scrape);
    const { end } = reader;
    reader.offset = firstMetric;
    while (!reader.isAtEnd) {
      const tag = reader.tag();
      if (tag !== 0x22) {
        reader.skip(tag);
        continue;
      }
      const outer = reader.enter();
      const metricEnd = reader.end;
      this.#readMetric(reader, family);
      reader.offset = metricEnd;
      reader.leave(outer);
    }
    reader.offset = end;
  }

  /** The family whose name, type and help stand before `firstMetric`, and a unit perhaps behind the metrics. */
  #familyOf(
    reader: ProtoReader,
    start: number,
    firstMetric: number,
    hasTail: boolean,
  ): KnownFamily {
    reader.offset = start;
    let name = '';
    let help = '';
    let unit = '';
    let typeNumber = 0;
    while (!reader.isAtEnd) {
      if (!hasTail && reader.offset >= firstMetric) break;
      const tag = reader.tag();
      if (tag === 0x0a) name = reader.text();
      else if (tag === 0x18) typeNumber = reader.uint();
      else if (tag === 0x12) help = reader.text();
      else if (tag === 0x2a) unit = reader.text();
      else reader.skip(tag);
    }
    if (name === '') throw new InputError('EXPOSITION.PARSE', '', 'invalid metric name: ""');
    const type = TYPES[typeNumber];
    if (type === undefined) throw fault(name, `unknown metric type ${typeNumber}`);
    const key = familyKey(name, type);
    let family = this.#families.get(key);
    if (family === undefined) {
      family = new KnownFamily(name, type);
      this.#families.set(key, family);
    }
    family.index = this.#table.setType(name, type);
    this.#table.setHelp(name, help);
    this.#table.setUnit(name, unit);
    return family;
  }

  #readMetric(reader: ProtoReader, family: KnownFamily): void {
    const { type } = family;
    const valueField = VALUE_FIELDS[type]!;
    const spans = this.#labelSpans;
    spans.length = 0;
    this.#labelPairs = null;
    this.#timestampMs = Number.NaN;
    let valueAt = -1;
    while (!reader.isAtEnd) {
      const at = reader.offset;
      const tag = reader.tag();
      const field = tag >>> 3;
      if (field === TIMESTAMP_FIELD) {
        reader.expect(tag, WIRE.varint);
        const timestampMs = reader.int64();
        // Proto3 does not tell 0 from absent.
        if (timestampMs !== 0) this.#timestampMs = timestampMs;
        continue;
      }
      if (field === valueField || field === LABEL_FIELD) reader.expect(tag, WIRE.bytes);
      if (field === valueField) valueAt = reader.offset;
      reader.skip(tag);
      if (field !== LABEL_FIELD) continue;
      if (spans.length > 0 && spans.at(-1) === at) spans[spans.length - 1] = reader.offset;
      else spans.push(at, reader.offset);
    }
    this.metrics++;
    const metric = this.#metricOf(family);
    if (valueAt >= 0) {
      reader.offset = valueAt;
      const outer = reader.enter();
      this.#readValue(reader, metric, type);
      reader.leave(outer);
    } else this.#readNoValue(metric, type);
  }

  #metricOf(family: KnownFamily): KnownMetric {
    const spans = this.#labelSpans;
    const start = spans[0] ?? 0;
    const end = spans[1] ?? 0;
    if (spans.length <= 2) {
      const known = family.recognise(this.#buffer, start, end);
      if (known !== null) {
        this.recognisedMetrics++;
        return known;
      }
      return family.find(this.#buffer.toString('latin1', start, end));
    }
    // Labels with other fields between them: legal, and never written.
    let key = '';
    for (let i = 0; i < spans.length; i += 2)
      key += this.#buffer.toString('latin1', spans[i], spans[i + 1]);
    return family.find(key);
  }

  #readValue(reader: ProtoReader, metric: KnownMetric, type: MetricType): void {
    switch (type) {
      case 'summary':
        this.#readSummary(reader, metric);
        return;
      case 'histogram':
      case 'gaugehistogram':
        this.#histogram.read(reader);
        this.#addHistogram(reader, metric, type === 'gaugehistogram');
        return;
      default:
        this.#readPlain(reader, metric, type);
    }
  }

  /** A metric whose value is missing or of another type counts as 0, as in Prometheus. */
  #readNoValue(metric: KnownMetric, type: MetricType): void {
    if (type === 'histogram' || type === 'gaugehistogram') {
      this.#histogram.clear();
      this.#addHistogram(this.#reader, metric, type === 'gaugehistogram');
      return;
    }
    this.#addValue(metric, VALUE, 0, 0);
    if (type === 'summary') this.#addValue(metric, SUM, 0, 0);
  }

  #readPlain(reader: ProtoReader, metric: KnownMetric, type: MetricType): void {
    const index = this.#add(metric, VALUE);
    const { columns } = this;
    columns.values[index] = 0;
    let exemplarAt = NO_EXEMPLAR;
    while (!reader.isAtEnd) {
      const tag = reader.tag();
      if (tag === 0x09) reader.doubleInto(columns.valueWords, index);
      else if (type === 'counter' && tag === 0x1a)
        columns.setStart(index, readTimestamp(reader, tag));
      else {
        if (type === 'counter' && tag === 0x12) exemplarAt = reader.offset;
        reader.skip(tag);
      }
    }
    if (exemplarAt !== NO_EXEMPLAR) {
      const end = reader.offset;
      this.#addExemplar(reader, columns.seriesIds[index]!, exemplarAt);
      reader.offset = end;
    }
  }

  #readSummary(reader: ProtoReader, metric: KnownMetric): void {
    const { columns } = this;
    const countIndex = this.#add(metric, COUNT);
    const sumIndex = this.#add(metric, SUM);
    columns.values[countIndex] = 0;
    columns.values[sumIndex] = 0;
    let quantiles = 0;
    let startMs = 0;
    while (!reader.isAtEnd) {
      const tag = reader.tag();
      if (tag === 0x08) columns.values[countIndex] = reader.uint();
      else if (tag === 0x11) reader.doubleInto(columns.valueWords, sumIndex);
      else if (tag === 0x1a) this.#readQuantile(reader, metric, quantiles++);
      else if (tag === 0x22) startMs = readTimestamp(reader, tag);
      else reader.skip(tag);
    }
    if (startMs === 0) return;
    for (let i = countIndex; i < columns.count; i++) columns.setStart(i, startMs);
  }

  #readQuantile(reader: ProtoReader, metric: KnownMetric, nth: number): void {
    const outer = reader.enter();
    let quantile = 0;
    let valueAt = -1;
    while (!reader.isAtEnd) {
      const tag = reader.tag();
      if (tag === 0x09) quantile = reader.double();
      else {
        if (tag === 0x11) valueAt = reader.offset;
        reader.skip(tag);
      }
    }
    const end = reader.offset;
    const index = this.#add(metric, FIRST_BOUND + metric.indexOf(nth, quantile));
    const { columns } = this;
    columns.values[index] = 0;
    if (valueAt >= 0) {
      reader.offset = valueAt;
      reader.doubleInto(columns.valueWords, index);
      reader.offset = end;
    }
    reader.leave(outer);
  }

  #addHistogram(reader: ProtoReader, metric: KnownMetric, isGauge: boolean): void {
    const message = this.#histogram;
    const { native, alwaysClassic, toCustomBuckets } = this.#options;
    const isNative = native && message.isNative;
    if (isNative) this.#addNative(reader, metric, isGauge);
    const isConverted = !isNative && toCustomBuckets;
    const hasClassic = !isNative || message.bucketCount > 0;
    if (hasClassic && (alwaysClassic || !(isNative || isConverted)))
      this.#addClassic(reader, metric);
    if (isConverted) this.#addConverted(reader, metric, isGauge);
  }

  #addNative(reader: ProtoReader, metric: KnownMetric, isGauge: boolean): void {
    const message = this.#histogram;
    const id = this.#idOf(metric, NATIVE);
    this.histograms.push({
      id,
      histogram: message.native(metric.family.name, isGauge),
      timestampMs: this.#timestampMs,
      startTimestampMs: message.startMs,
    });
    this.#addTimedExemplars(reader, id);
  }

  /** Exemplars of native histograms need a time. Those of the buckets serve where there are no others. */
  #addTimedExemplars(reader: ProtoReader, id: number): void {
    const message = this.#histogram;
    const places =
      message.nativeExemplarsAt.length > 0
        ? message.nativeExemplarsAt
        : message.exemplarAt.subarray(0, message.bucketCount);
    const end = reader.offset;
    for (const at of places) {
      if (at === NO_EXEMPLAR) continue;
      const exemplar = readExemplar(reader, at);
      if (exemplar.timestampMs !== null) this.exemplars.push({ id, exemplar });
    }
    reader.offset = end;
  }

  #addClassic(reader: ProtoReader, metric: KnownMetric): void {
    const message = this.#histogram;
    const { columns } = this;
    const { startMs } = message;
    this.#addValue(metric, COUNT, message.count, startMs);
    const sumIndex = this.#add(metric, SUM);
    columns.setStart(sumIndex, startMs);
    columns.valueWords[sumIndex * 2] = message.sumWords[0]!;
    columns.valueWords[sumIndex * 2 + 1] = message.sumWords[1]!;
    const end = reader.offset;
    let hasInfinity = false;
    for (let i = 0; i < message.bucketCount && !hasInfinity; i++) {
      const bound = message.bounds[i]!;
      hasInfinity = bound === Number.POSITIVE_INFINITY;
      const position = FIRST_BOUND + metric.indexOf(i, bound);
      const id = this.#addValue(metric, position, message.cumulative[i]!, startMs);
      const exemplarAt = message.exemplarAt[i]!;
      if (exemplarAt !== NO_EXEMPLAR) this.#addExemplar(reader, id, exemplarAt);
    }
    reader.offset = end;
    if (hasInfinity) return;
    const index = metric.indexOf(message.bucketCount, Number.POSITIVE_INFINITY);
    this.#addValue(metric, FIRST_BOUND + index, message.count, startMs);
  }

  #addConverted(reader: ProtoReader, metric: KnownMetric, isGauge: boolean): void {
    const message = this.#histogram;
    const classic = this.#classic;
    classic.clear();
    classic.setCount(message.count);
    classic.setSum(message.sum);
    for (let i = 0; i < message.bucketCount; i++)
      classic.addBucket(message.bounds[i]!, message.cumulative[i]!);
    const histogram = classic.convert(isGauge);
    if (histogram === null) throw fault(metric.family.name, classic.fault ?? '');
    const id = this.#idOf(metric, NATIVE);
    this.histograms.push({
      id,
      histogram,
      timestampMs: this.#timestampMs,
      startTimestampMs: message.startMs,
    });
    this.#addTimedExemplars(reader, id);
  }

  #addExemplar(reader: ProtoReader, id: number, at: number): void {
    this.exemplars.push({ id, exemplar: readExemplar(reader, at) });
  }

  #addValue(metric: KnownMetric, position: number, value: number, startMs: number): number {
    const index = this.#add(metric, position);
    const { columns } = this;
    columns.values[index] = value;
    if (startMs !== 0) columns.setStart(index, startMs);
    return columns.seriesIds[index]!;
  }

  /** Adds a sample whose value is yet to be set. */
  #add(metric: KnownMetric, position: number): number {
    const { columns } = this;
    const index = columns.count;
    columns.reserve(index);
    columns.seriesIds[index] = this.#idOf(metric, position);
    columns.timestamps[index] = this.#timestampMs;
    columns.clearStart(index);
    columns.count = index + 1;
    return index;
  }

  #idOf(metric: KnownMetric, position: number): number {
    const known = metric.ids[position] ?? -1;
    return known >= 0 ? known : this.#addSeries(metric, position);
  }

  #addSeries(metric: KnownMetric, position: number): number {
    const labels = this.#labelsOf(metric, position);
    const id = this.#free.pop() ?? this.#owners.length;
    this.#owners[id] = metric;
    this.#positions[id] = position;
    metric.setId(position, id);
    this.newSeries.push({ id, labels });
    return id;
  }

  #labelsOf(metric: KnownMetric, position: number): Labels {
    const { name, type } = metric.family;
    const pairs = [...this.#pairs()];
    const isHistogram = type === 'histogram' || type === 'gaugehistogram';
    if (!isHistogram && type !== 'summary') pairs.push([METRIC_NAME, name]);
    else if (position === COUNT) pairs.push([METRIC_NAME, `${name}_count`]);
    else if (position === SUM) pairs.push([METRIC_NAME, `${name}_sum`]);
    else if (position === NATIVE) pairs.push([METRIC_NAME, name]);
    else {
      const bound = formatOpenMetricsFloat(metric.bounds[position - FIRST_BOUND]!);
      pairs.push([METRIC_NAME, isHistogram ? `${name}_bucket` : name]);
      pairs.push([isHistogram ? 'le' : 'quantile', bound]);
    }
    const names = new Set<string>();
    for (const [label] of pairs) {
      if (label === '') throw fault(name, 'label with an empty name');
      if (names.has(label)) throw fault(name, `label name ${JSON.stringify(label)} is not unique`);
      names.add(label);
    }
    return Labels.from(pairs);
  }

  #pairs(): readonly (readonly [string, string])[] {
    if (this.#labelPairs !== null) return this.#labelPairs;
    const pairs: (readonly [string, string])[] = [];
    const spans = this.#labelSpans;
    for (let i = 0; i < spans.length; i += 2) {
      const reader = new ProtoReader(this.#buffer, spans[i], spans[i + 1]);
      while (!reader.isAtEnd) {
        reader.tag();
        pairs.push(readLabelPair(reader));
      }
    }
    this.#labelPairs = pairs;
    return pairs;
  }
}

function familyKey(name: string, type: MetricType): string {
  return `${type} ${name}`;
}

function fault(family: string, reason: string): InputError {
  return new InputError('EXPOSITION.PARSE', `metric family ${JSON.stringify(family)}`, reason);
}
