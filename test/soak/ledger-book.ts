import { type Labels, Labels as LabelsClass, STALE_NAN_HIGH, STALE_NAN_LOW } from '@pollux/model';
import type { Exposition } from './generator.ts';

/** What the database must hold of one series: times in ms, ascending, and the values' bits beside them. */
export type SeriesEntry = {
  readonly labels: Labels;
  readonly timesMs: number[];
  readonly highs: number[];
  readonly lows: number[];
  /** False where only the times are known (how long a scrape took). */
  readonly areValuesKnown: boolean;
};

/** Every series by its key. */
export type Book = ReadonlyMap<string, SeriesEntry>;

/** One request of the server for the exposition of a target; null when it was answered with an error. */
export type Served = { readonly receivedMs: number; readonly exposition: Exposition | null };

/** What the scrape itself adds; no value where the target cannot know it. */
type Report = Readonly<Record<string, number | null>>;

/**
 * What a database that missed nothing and made nothing up holds after `served`. `scrapeTimesMs` are the times that the
 * server gave to those scrapes, which only it knows.
 */
export function bookOf(
  target: Readonly<Record<'job' | 'instance', string>>,
  served: readonly Served[],
  scrapeTimesMs: readonly number[],
): Book {
  const book = new Map<string, SeriesEntry>();
  const stored = (labels: Labels): Labels =>
    labels.with('job', target.job).with('instance', target.instance);
  // Series without times of their own: gone from one scrape to the next, they get a stale marker.
  let live = new Map<string, Labels>();
  for (const [at, { exposition }] of served.entries()) {
    const timeMs = scrapeTimesMs[at] ?? Number.NaN;
    const next = new Map<string, Labels>();
    for (const { labels: exposed, high, low, timestampMs } of exposition?.samples ?? []) {
      const labels = stored(exposed);
      if (timestampMs === null) next.set(labels.key(), labels);
      write(book, labels, timestampMs ?? timeMs, [high, low]);
    }
    for (const [key, labels] of live) {
      if (!next.has(key)) write(book, labels, timeMs, [STALE_NAN_HIGH, STALE_NAN_LOW]);
    }
    live = next;
    for (const [name, value] of Object.entries(reportOf(exposition))) {
      write(book, stored(LabelsClass.from({ __name__: name })), timeMs, wordsOfNumber(value));
    }
  }
  return book;
}

function reportOf(exposition: Exposition | null): Report {
  const count = exposition?.samples.length ?? 0;
  return {
    up: exposition === null ? 0 : 1,
    scrape_duration_seconds: null,
    scrape_samples_scraped: count,
    scrape_samples_post_metric_relabeling: count,
    // What counts as new after a failed scrape is the server's own affair.
    scrape_series_added: null,
  };
}

function write(
  book: Map<string, SeriesEntry>,
  labels: Labels,
  timeMs: number,
  words: readonly [high: number, low: number] | null,
): void {
  const key = labels.key();
  let entry = book.get(key);
  if (entry === undefined) {
    entry = { labels, timesMs: [], highs: [], lows: [], areValuesKnown: words !== null };
    book.set(key, entry);
  }
  entry.timesMs.push(timeMs);
  entry.highs.push(words?.[0] ?? 0);
  entry.lows.push(words?.[1] ?? 0);
}

export function wordsOfNumber(value: number | null): readonly [high: number, low: number] | null {
  if (value === null) return null;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return [view.getUint32(0), view.getUint32(4)];
}
