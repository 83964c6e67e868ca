import type { Metadata } from '@pollux/model';
import { FamilyTable } from './family-table.ts';
import { scanFloat } from './float.ts';
import { LINE, LineLayout, typeLine, typeOfLine } from './line-layout.ts';
import { LineParser } from './line-parser.ts';
import { type GroupOptions, MetricGroups } from './metric-groups.ts';
import type { TextFormat } from './protocol.ts';
import { SampleColumns } from './sample-columns.ts';
import type { NewSeries, ScrapeParser, SeriesExemplar, SeriesHistogram } from './scrape-parser.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
/** Digits of a timestamp that a double holds exactly. */
const MAX_TIMESTAMP_DIGITS = 15;

/**
 * Parses the scrapes of one target. From scrape to scrape almost all bytes stay the same, so the lines of the last scrape
 * are a template:
 *
 *     last scrape   http_requests_total{code="200"} 17⏎        the bytes up to the value are compared, not parsed
 *     this scrape   http_requests_total{code="200"} 19⏎        only the value is read
 *
 * On a line that differs the line parser takes over, the series is looked up by its bytes, and the template goes on behind
 * the place where that series stood last time. What comes out is the same as from the line parser alone; a property test
 * holds the two together.
 *
 * A series has an id in this template until `release`. An exposition that does not parse changes nothing.
 */
export class ScrapeTemplate implements ScrapeParser {
  /** The samples of the last `parse`; used again by the next one. */
  readonly columns = new SampleColumns();
  /** Series that the last `parse` met for the first time. */
  newSeries: NewSeries[] = [];
  exemplars: SeriesExemplar[] = [];
  /** Text has none of its own, but classic ones may be taken for such. */
  histograms: readonly SeriesHistogram[] = [];
  readonly #parser: LineParser;
  readonly #ids = new Map<string, number>();
  readonly #keys: (string | null)[] = [];
  readonly #free: number[] = [];
  readonly #families = new FamilyTable();
  readonly #groups: MetricGroups | null;
  #last = new LineLayout();
  #next = new LineLayout();
  /** Lines of the last scrape that the template recognised, of all lines; for tests and benchmarks. */
  recognisedLines = 0;
  lines = 0;

  constructor(format: TextFormat, options?: GroupOptions) {
    this.#parser = new LineParser(format);
    // Only OpenMetrics gives `_created` a meaning.
    const startTimes = options?.startTimes === true && format === 'openmetrics';
    this.#groups =
      options?.toCustomBuckets === true || startTimes
        ? new MetricGroups({ ...options!, startTimes }, this.#families, {
            adopt: (labels) => this.#adopt(`\n${labels.key()}`),
            forget: (id) => this.#forget(id),
          })
        : null;
  }

  get format(): TextFormat {
    return this.#parser.format;
  }

  /** Type, help and unit per metric family, as the target last told them. */
  metadata(): IterableIterator<readonly [metric: string, metadata: Metadata]> {
    return this.#families.entries();
  }

  get metadataSize(): number {
    return this.#families.size;
  }

  /** Forgets series that are gone; their ids may be given to others. */
  release(ids: readonly number[]): void {
    if (ids.length === 0) return;
    for (const id of ids) this.#forget(id);
    this.#last.forget(ids, this.#keys.length);
  }

  #forget(id: number): void {
    const key = this.#keys[id];
    if (key === null || key === undefined) return;
    this.#ids.delete(key);
    this.#keys[id] = null;
    this.#free.push(id);
    this.#groups?.forget(id);
  }

  /** `key` is the series as written; one that no line spells has a newline in front, as no line has. */
  #adopt(key: string): number {
    const id = this.#free.pop() ?? this.#keys.length;
    this.#keys[id] = key;
    this.#ids.set(key, id);
    return id;
  }

  /**
   * Reads a scrape into `columns`, `newSeries` and `exemplars`. The bytes are kept until the next call and must not change.
   * Throws ParseError; then `columns.count` says how many samples stood before the fault and ids are as they were.
   */
  parse(bytes: Uint8Array): void {
    this.columns.count = 0;
    this.newSeries = [];
    this.exemplars = [];
    this.histograms = [];
    this.recognisedLines = 0;
    this.lines = 0;
    this.#families.begin();
    this.#next.begin(bytes);
    this.#parser.reset(bytes);
    try {
      this.#parseLines(bytes);
    } catch (error) {
      for (const { id } of this.newSeries) this.#forget(id);
      this.newSeries = [];
      throw error;
    }
    const spare = this.#last;
    this.#last = this.#next;
    this.#next = spare;
    this.#next.begin(new Uint8Array(0));
    if (this.#groups !== null)
      this.histograms = this.#groups.gather(this.columns, this.newSeries, this.exemplars);
    this.#families.end();
  }

  #parseLines(bytes: Uint8Array): void {
    const last = this.#last;
    const next = this.#next;
    const parser = this.#parser;
    const columns = this.columns;
    const isOpenMetrics = parser.format === 'openmetrics';
    const size = bytes.length;
    let cursor = 0;
    let at = 0;
    let isEnded = false;
    while (at < size) {
      this.lines++;
      if (cursor < last.count && last.matches(cursor, next, at)) {
        const target = last.targets[cursor]!;
        const kind = last.kinds[cursor]!;
        const length = last.lengths[cursor]!;
        if (kind === LINE.sample) {
          const index = columns.count;
          columns.reserve(index);
          const end = this.#recognised(bytes, at + length, index, isOpenMetrics);
          if (end >= 0) {
            columns.seriesIds[index] = target;
            columns.count = index + 1;
            next.add(at, length, kind, target);
            this.recognisedLines++;
            cursor++;
            at = end;
            continue;
          }
        } else {
          if (target >= 0) this.#families.see(target);
          if (kind >= LINE.type) {
            parser.metricType = typeOfLine(kind);
            this.#families.setTypeAt(target, parser.metricType);
          }
          next.add(at, length, kind, target);
          this.recognisedLines++;
          cursor++;
          at += length;
          continue;
        }
      }
      const id = this.#parseLine(at);
      if (id === END) {
        isEnded = true;
        break;
      }
      if (id >= 0) cursor = last.behind(id, cursor);
      at = parser.end;
    }
    if (isEnded && parser.end < size) throw parser.error(parser.end, 'unexpected data after # EOF');
    if (isOpenMetrics && !isEnded) throw parser.error(size, 'data does not end with # EOF');
  }

  /** Reads value and plain timestamp of a known series; the start of the next line, or -1 when the line is not that plain. */
  #recognised(
    bytes: Uint8Array,
    valueStart: number,
    index: number,
    isOpenMetrics: boolean,
  ): number {
    const size = bytes.length;
    const columns = this.columns;
    let at = scanFloat(bytes, valueStart, size, columns, index);
    if (at < 0) return -1;
    columns.timestamps[index] = Number.NaN;
    if (at < size && bytes[at] === NEWLINE) return at + 1;
    // OpenMetrics has fractions here and exemplars behind; those lines are left to the line parser.
    if (isOpenMetrics || at >= size || bytes[at] !== SPACE) return -1;
    const from = ++at;
    let timestampMs = 0;
    for (; at < size; at++) {
      const digit = bytes[at]! - 0x30;
      if (digit < 0 || digit > 9) break;
      timestampMs = timestampMs * 10 + digit;
    }
    if (at === from || at - from > MAX_TIMESTAMP_DIGITS || bytes[at] !== NEWLINE) return -1;
    columns.timestamps[index] = timestampMs;
    return at + 1;
  }

  /** The series id of a sample line, {@link END} at `# EOF`, {@link NO_SERIES} for any other line. */
  #parseLine(start: number): number {
    const parser = this.#parser;
    const kind = parser.readLine(start);
    switch (kind) {
      case 'sample':
        return this.#addSample(start);
      case 'help':
        this.#addMeta(start, LINE.other, this.#families.setHelp(parser.metricName, parser.text));
        return NO_SERIES;
      case 'unit':
        this.#addMeta(start, LINE.other, this.#families.setUnit(parser.metricName, parser.text));
        return NO_SERIES;
      case 'type':
        this.#addMeta(
          start,
          typeLine(parser.metricType),
          this.#families.setType(parser.metricName, parser.metricType),
        );
        return NO_SERIES;
      case 'comment':
      case 'blank':
        this.#addMeta(start, LINE.other, -1);
        return NO_SERIES;
      case 'eof':
        return END;
    }
  }

  #addSample(start: number): number {
    const parser = this.#parser;
    const columns = this.columns;
    const key = parser.seriesKey();
    let id = this.#ids.get(key);
    if (id === undefined) {
      const labels = parser.labels();
      id = this.#adopt(key);
      this.newSeries.push({ id, labels });
    }
    if (parser.hasExemplar) this.exemplars.push({ id, exemplar: parser.exemplar() });
    const index = columns.count;
    columns.reserve(index);
    columns.seriesIds[index] = id;
    parser.storeValue(columns, index);
    columns.timestamps[index] = parser.timestampMs;
    columns.count = index + 1;
    // Blanks before the name are legal in text but belong to no series; such a line is never recognised, only parsed.
    if (start === parser.seriesStart)
      this.#next.add(start, parser.valueStart - start, LINE.sample, id);
    return id;
  }

  #addMeta(start: number, kind: number, family: number): void {
    const { end, bytes } = this.#parser;
    if (bytes[end - 1] === NEWLINE) this.#next.add(start, end - start, kind, family);
  }
}

const NO_SERIES = -1;
const END = -2;
