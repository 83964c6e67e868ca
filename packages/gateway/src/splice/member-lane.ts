import {
  CanceledError,
  DecodeError,
  ExchangeError,
  type HttpPoolResponse,
  OperatingError,
} from '@pollux/base';
import type { Labels } from '@pollux/model';
import {
  CHUNKED_CONTENT_TYPE,
  ChunkedResponseReader,
  DecodedSeries,
  decodeReadResponse,
  OWN_LABELS,
  type ReadSeries,
  snappyDecode,
} from '@pollux/remote';
import { mergeColumns, type ReadContext, type TimeRange } from '@pollux/storage';
import type { MemberReadError } from './member-read-error.ts';

const MAX_ANSWER_BYTES = 512 * 1024 * 1024;
/** Roughly what a sample takes in an answer that is held as columns. */
const SAMPLE_BYTES = 16;

/** The series of one answer do not come in the order of their labels: they can be merged only when all are there. */
export class UnsortedError extends OperatingError {
  constructor(member: string) {
    super('GATEWAY.UNSORTED', `member ${member} gave series that are not sorted by labels`);
  }
}

export type LaneOptions = {
  readonly member: string;
  readonly range: TimeRange;
  readonly context: ReadContext;
  /** Labels as the member's queries show them. */
  readonly ownLabels: (given: Labels) => Labels;
  /** All series are read before the first is given: their order may be another than they come in, and some may be the same. */
  readonly isSorting: boolean;
  /** Buckets were asked for, which not every member gives. Not where series are sorted. */
  readonly hasBuckets?: boolean;
  readonly ask: () => Promise<HttpPoolResponse>;
  readonly onFault: (cause: unknown) => MemberReadError;
};

/** The series of one member's answer in the order of their labels, mostly as they come. */
export class MemberLane {
  readonly #options: LaneOptions;
  #batches: AsyncGenerator<readonly ReadSeries[], void> | null = null;
  #heldBytes = 0;
  #last: Labels | null = null;
  #hasOwnLabels = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Null at the end. Rejects with UnsortedError, with what `onFault` made of a fault of the member, or when the query ends. */
  async next(): Promise<readonly ReadSeries[] | null> {
    const { context, onFault } = this.#options;
    try {
      this.#batches ??= this.#options.isSorting ? this.#sorted() : this.#inTurn();
      const { value, done } = await this.#batches.next();
      if (context.signal.aborted) throw new CanceledError('query canceled');
      return done === true ? null : value;
    } catch (error) {
      throw isFault(error) && !context.signal.aborted ? onFault(error) : error;
    }
  }

  /** What is left of the answer is cut off. */
  close(): void {
    const batches = this.#batches;
    this.#batches = null;
    this.#give(this.#heldBytes);
    // Nobody waits for it any more, so its faults are nobody's.
    void batches?.return(undefined).catch(() => {});
  }

  async *#inTurn(): AsyncGenerator<readonly ReadSeries[], void> {
    const { member } = this.#options;
    // What was held for a batch is free when the next one is asked for.
    let before = 0;
    for await (const batch of this.#read()) {
      const own = this.#hasOwnLabels ? batch : batch.map((series) => this.#named(series));
      for (const { labels } of own) {
        if (this.#last !== null && this.#last.compare(labels) >= 0) throw new UnsortedError(member);
        this.#last = labels;
      }
      if (own.length > 0) {
        yield own;
        this.#give(before);
        before = this.#heldBytes;
      }
    }
  }

  async *#sorted(): AsyncGenerator<readonly ReadSeries[], void> {
    const { range } = this.#options;
    const all: ReadSeries[] = [];
    for await (const batch of this.#read()) for (const one of batch) all.push(this.#named(one));
    all.sort((a, b) => a.labels.compare(b.labels));
    const joined: ReadSeries[] = [];
    for (const one of all) {
      const last = joined.at(-1);
      if (last?.labels.equals(one.labels) !== true) joined.push(one);
      else {
        const both = mergeColumns([last.columns(range), one.columns(range)]);
        joined[joined.length - 1] = new DecodedSeries(both);
      }
    }
    if (joined.length > 0) yield joined;
  }

  #named(series: ReadSeries): ReadSeries {
    const labels = this.#options.ownLabels(series.labels);
    return labels === series.labels ? series : series.named(labels);
  }

  /** Series as they come. */
  async *#read(): AsyncGenerator<readonly ReadSeries[], void> {
    const { ask, hasBuckets = false } = this.#options;
    const { headers, body } = await ask();
    const pieces = body instanceof Uint8Array ? [body] : body;
    const type = headers['content-type'];
    if (typeof type === 'string' && type.startsWith(CHUNKED_CONTENT_TYPE)) {
      this.#hasOwnLabels = hasBuckets && type.includes(OWN_LABELS);
      const reader = new ChunkedResponseReader({ hasBuckets });
      for await (const piece of pieces) {
        this.#take(piece.length);
        reader.push(piece);
        yield reader.take();
      }
      reader.end();
      yield reader.take();
      return;
    }
    const packed: Uint8Array[] = [];
    for await (const piece of pieces) {
      this.#take(piece.length);
      packed.push(piece);
    }
    const whole = packed.length === 1 ? packed[0]! : new Uint8Array(Buffer.concat(packed));
    const decoded = await snappyDecode(whole, MAX_ANSWER_BYTES);
    this.#give(this.#heldBytes);
    this.#take(decoded.length);
    const [series = []] = decodeReadResponse(decoded);
    this.#give(this.#heldBytes);
    for (const { timestampsMs } of series) this.#take(timestampsMs.length * SAMPLE_BYTES);
    yield series.map((columns) => new DecodedSeries(columns));
  }

  #take(bytes: number): void {
    this.#options.context.budget.take(bytes);
    this.#heldBytes += bytes;
  }

  #give(bytes: number): void {
    const given = Math.min(bytes, this.#heldBytes);
    this.#options.context.budget.give(given);
    this.#heldBytes -= given;
  }
}

/** What breaks off though nobody has given the query up was cut because the member is down. */
function isFault(error: unknown): boolean {
  return [DecodeError, ExchangeError, CanceledError].some((kind) => error instanceof kind);
}
