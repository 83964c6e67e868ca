import { isUtf8 } from 'node:buffer';
import { assert, type Random } from '@pollux/base';
import type { WriteKernel } from '@pollux/kernels';
import { snappyDecode } from '../codec/snappy.ts';
import {
  NOT_SOUGHT,
  type WriteRequestColumns,
  WriteRequestDecoder,
} from '../codec/v1/decode-write.ts';
import { readLabelSpans } from '../codec/v1/label-spans.ts';
import { decodeLabels } from '../codec/v1/labels.ts';
import { createKernel, hasRoom } from './receiver.ts';
import { SeriesCache } from './series-cache.ts';
import type { SeriesLookup } from './write-request.ts';

/** Labels of a series with more are decoded to be checked. */
const MAX_SPANNED_LABELS = 128;
/** Below what the kernel remembers, so that it never forgets by itself what a number means. */
const MAX_NUMBERS = 2 ** 22 - 2;

/** A request whose `seriesRefs` are numbers above 0: equal label bytes have equal ones, and are well-formed. */
export type NumberedRequest = WriteRequestColumns & {
  /** Numbers given under another object mean other labels. */
  readonly numbering: object;
};

export type WriteReaderOptions = {
  /** Null goes without one. */
  readonly kernel?: WriteKernel | null;
  /** So many series are remembered before all are forgotten. */
  readonly maxNumbers?: number;
};

/**
 * Opens the bodies of write requests and numbers the series in them, so that who has met a series before needs none of its
 * labels. Bodies of a usual size are decoded by the kernel, where there is one, on memory that is used again for each.
 */
export class WriteReader {
  readonly #kernel: WriteKernel | null;
  readonly #numbers: SeriesLookup & { clear(): void };
  readonly #walking: WriteRequestDecoder;
  readonly #maxNumbers: number;
  readonly #spans = new Uint32Array(MAX_SPANNED_LABELS * 4);
  #numbering: object = {};
  #nextNumber = 1;
  /** Ends when nobody uses the columns. */
  #turn: Promise<void> = Promise.resolve();

  constructor(random: Random, options: WriteReaderOptions = {}) {
    const { kernel = createKernel(random), maxNumbers = MAX_NUMBERS } = options;
    this.#kernel = kernel;
    this.#numbers =
      kernel ?? new SeriesCache(Uint32Array.of(random.below(2 ** 32), random.below(2 ** 32)));
    this.#walking = new WriteRequestDecoder(kernel);
    this.#maxNumbers = maxNumbers;
  }

  /**
   * Runs `use` on the request in the body and resolves with what it gives. The columns are lent while it runs; requests wait
   * for each other. Throws DecodeError for a body that is none, malformed texts of labels included, and LimitError
   * `REMOTE.DECODED_TOO_LARGE`.
   */
  async read<T>(body: Uint8Array, use: (request: NumberedRequest) => Promise<T>): Promise<T> {
    // What does not fit is opened off the thread, before its turn.
    const opened = hasRoom(this.#kernel, body) ? null : await snappyDecode(body);
    const previous = this.#turn;
    let done = (): void => {};
    this.#turn = new Promise((resolve) => {
      done = resolve;
    });
    await previous;
    try {
      const request = await this.#decode(body, opened);
      this.#number(request);
      return await use({ ...request, numbering: this.#numbering });
    } finally {
      done();
    }
  }

  async #decode(body: Uint8Array, opened: Uint8Array | null): Promise<WriteRequestColumns> {
    const kernel = this.#kernel;
    if (opened === null && kernel !== null) {
      const length = kernel.decompress(body);
      if (length >= 0) return this.#walking.decode(kernel.decoded.subarray(0, length));
    }
    // The library says what is wrong with a block that the kernel does not open.
    return new WriteRequestDecoder().decode(opened ?? (await snappyDecode(body)));
  }

  #number(request: WriteRequestColumns): void {
    const { seriesCount, seriesRefs } = request;
    if (this.#nextNumber + seriesCount > this.#maxNumbers) {
      this.#numbers.clear();
      this.#numbering = {};
      this.#nextNumber = 1;
      seriesRefs.fill(NOT_SOUGHT, 0, seriesCount);
    }
    for (let i = 0; i < seriesCount; i++) {
      const sought = seriesRefs[i]!;
      // One that was not known may stand in the request twice, and have its number by now.
      if (sought === 0 || sought === NOT_SOUGHT) seriesRefs[i] = this.#numberOf(request, i);
    }
  }

  #numberOf({ labelData, labelStarts, labelEnds }: WriteRequestColumns, series: number): number {
    const start = labelStarts[series]!;
    const end = labelEnds[series]!;
    const known = this.#numbers.find(labelData, start, end);
    if (known !== 0) return known;
    // Where all bytes together are UTF-8 the texts are: what stands around them is ASCII then. Others are looked at closely.
    const isPlain =
      readLabelSpans(labelData, start, end, this.#spans) > 0 &&
      isUtf8(labelData.subarray(start, end));
    if (!isPlain) decodeLabels(labelData, start, end);
    const number = this.#nextNumber++;
    assert(number < 2 ** 22, 'numbers of series end before the table does');
    this.#numbers.set(labelData, start, end, number);
    return number;
  }
}
