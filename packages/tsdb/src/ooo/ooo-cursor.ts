import { CanceledError } from '@pollux/base';
import type { Labels, Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import type { Head } from '../head/head.ts';
import { HeadSeriesWalk } from '../head/head-series-walk.ts';
import { matchHead } from '../head/read.ts';
import type { SampleTarget } from '../query/sample-target.ts';
import type { SeriesCursor } from '../query/series-cursor.ts';
import type { Slices } from '../slices.ts';
import type { OooReader } from './ooo-readers.ts';
import type { OooView } from './ooo-samples.ts';
import { SampleRun } from './sample-run.ts';

/**
 * The matching series that have out-of-order samples, as they are at construction: what is committed later does not show.
 * The samples are not dropped until {@link close}, also when they have gone to a block: both then answer alike.
 */
export class OooCursor implements SeriesCursor {
  readonly #head: Head;
  readonly #range: TimeRange;
  readonly #registration: OooReader;
  readonly #walk: HeadSeriesWalk;
  /** Samples that each series had at construction. */
  readonly #inserted: Uint32Array;
  readonly #run = new SampleRun();

  /** `select`: matchers, or references of live series. */
  constructor(head: Head, range: TimeRange, select: readonly Matcher[] | Uint32Array) {
    this.#head = head;
    this.#range = range;
    const { table, outOfOrder } = head;
    const { samples } = outOfOrder;
    const refs = select instanceof Uint32Array ? select : matchHead(head, select);
    this.#walk = new HeadSeriesWalk(
      table,
      refs.filter((ref) => samples.has(table.slotOf(ref))),
    );
    this.#inserted = this.#walk.refs.map((ref) => samples.insertedOf(table.slotOf(ref)));
    this.#registration = outOfOrder.readers.begin();
  }

  get labels(): Labels | null {
    return this.#walk.labels;
  }

  get ref(): number {
    return this.#walk.ref;
  }

  get hasDeletions(): boolean {
    return this.#head.outOfOrder.samples.hasDeletions(this.#walk.slot);
  }

  prepare(slices: Slices): Promise<void> {
    return this.#walk.prepare(slices);
  }

  advance(): void {
    this.#walk.advance();
  }

  hasSamples(): boolean {
    return this.#head.outOfOrder.samples.mayHave(this.#walk.slot, this.#view());
  }

  read(target: SampleTarget): void {
    if (this.#registration.isExpired) {
      throw new CanceledError(
        'query canceled: it held out-of-order samples for so long that their memory could not be given back',
      );
    }
    const run = this.#run;
    run.clear();
    const { samples } = this.#head.outOfOrder;
    samples.collect(this.#walk.slot, this.#view(), run);
    run.sort();
    const histograms = run.takeHistograms();
    if (histograms.length > 0) target.addHistograms(histograms);
    target.addSamples(run.timestampsMs, run.words, run.count, run.startTimestampsMs);
  }

  close(): void {
    this.#head.outOfOrder.readers.end(this.#registration);
  }

  #view(): OooView {
    const { minMs, maxMs } = this.#range;
    return { minMs, maxMs, since: this.#inserted[this.#walk.row]! };
  }
}
