import { Labels, wordsOf } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder } from '@pollux/remote';
import type { Offer, SampleLedger } from '../../../packages/sim/src/faults/sample-ledger.ts';

export const JOB = 'crash';
/** Between two writes, so that the machine is not what is measured. */
const PAUSE_MS = 5;
const REQUEST_TIMEOUT_MS = 5_000;
/** Every so many writes some samples of a while ago are deleted. */
const DELETE_EVERY = 25;
/** Every so many writes a few series get samples of a while ago, more of each than a chunk of late samples takes. */
const LATE_EVERY = 4;
const LATE_SERIES = 3;
const LATE_SAMPLES = 40;
const LATE_STEP_MS = 7;

export type LoadOptions = {
  /** Where to write: the server, or something that stands in front of it. */
  readonly writeUrl: string;
  readonly serverUrl: string;
  readonly series: number;
  readonly deletes: boolean;
  readonly ledger: SampleLedger;
};

/**
 * Writes one sample of each series every few ms, some late, and now and then deletes some; keeps the ledger. A value is that of
 * its time, so that it does not matter which of two samples of one time is shown.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #labels: readonly Labels[];
  readonly #fields: readonly Uint8Array[];
  readonly #encoder = new TimeSeriesEncoder();
  readonly #stop = new AbortController();
  #isWriting = false;
  #isDeleting = false;
  #newestMs = 0;
  #written = 0;
  #refused = '';
  #running: Promise<void> | null = null;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#labels = Array.from({ length: options.series }, (_, i) =>
      Labels.from({ __name__: 'crash_sample', job: JOB, i: String(i) }),
    );
    this.#fields = this.#labels.map(encodeLabels);
  }

  get isWriting(): boolean {
    return this.#isWriting;
  }

  get isDeleting(): boolean {
    return this.#isDeleting;
  }

  /** Resolves when a write has gone out and has no answer yet. */
  async writes(): Promise<void> {
    while (!this.#isWriting) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** Writes that were acknowledged. */
  get written(): number {
    return this.#written;
  }

  /** A refusal by a living server, or an empty text. */
  get refused(): string {
    return this.#refused;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** To be called when the server is dead. Requests without an answer stay so. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let turn = 1; !this.#stop.signal.aborted; turn++) {
      try {
        await this.#write();
        if (turn % LATE_EVERY === 0) await this.#writeLate(turn);
        if (this.#options.deletes && turn % DELETE_EVERY === 0) await this.#delete(turn);
      } catch {
        // The server is dead or dying; whoever killed it will stop this.
        if (this.#stop.signal.aborted) return;
      }
      await pause(PAUSE_MS);
    }
  }

  async #write(): Promise<void> {
    const timeMs = Math.max(Date.now(), this.#newestMs + 1);
    this.#newestMs = timeMs;
    const every = this.#labels.map((_, index) => index);
    await this.#send(every, Float64Array.of(timeMs));
  }

  /** Some tenths of a second to some seconds ago: beside samples in order, in the head and in blocks. */
  async #writeLate(turn: number): Promise<void> {
    const { series } = this.#options;
    const some = Array.from({ length: LATE_SERIES }, (_, i) => (turn + i * 7) % series);
    const endMs = this.#newestMs - 100 - (turn % 11) * 300;
    await this.#send(
      some,
      Float64Array.from(
        { length: LATE_SAMPLES },
        (_, i) => endMs + (i - LATE_SAMPLES) * LATE_STEP_MS,
      ),
    );
  }

  /** Writes a sample of each of these times to each of these series. */
  async #send(indexes: readonly number[], timestampsMs: Float64Array): Promise<void> {
    const { ledger, writeUrl } = this.#options;
    const offers = indexes.flatMap((index) =>
      Array.from(timestampsMs, (timeMs) => offerOf(this.#labels[index]!, timeMs)),
    );
    ledger.offer(offers);
    this.#isWriting = true;
    const response = await this.#post(writeUrl, this.#encode(indexes, timestampsMs), {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
    });
    this.#isWriting = false;
    if (response.ok) {
      ledger.acknowledge(offers, true);
      this.#written++;
    } else {
      const from = timestampsMs[0];
      this.#refused = `write from ${from}: ${response.status} ${await response.text()}`;
    }
  }

  /** A fifth of a second of one series, some seconds ago: in the head, in a block, or in one that is being written. */
  async #delete(turn: number): Promise<void> {
    const { ledger, serverUrl, series } = this.#options;
    const index = turn % series;
    const key = this.#labels[index]!.toString();
    const minMs = this.#newestMs - 1_000 * (1 + (turn % 9));
    const maxMs = minMs + 200;
    const covers = (of: string, at: number): boolean => of === key && at >= minMs && at <= maxMs;
    ledger.offerDeletion(covers);
    this.#isDeleting = true;
    const query = new URLSearchParams({
      'match[]': `crash_sample{i="${index}"}`,
      start: String(minMs / 1_000),
      end: String(maxMs / 1_000),
    });
    const response = await this.#post(
      `${serverUrl}/api/v1/admin/tsdb/delete_series?${query}`,
      null,
      {},
    );
    this.#isDeleting = false;
    if (response.ok) ledger.acknowledgeDeletion(covers, true);
    else this.#refused = `delete: ${response.status} ${await response.text()}`;
  }

  #encode(indexes: readonly number[], timestampsMs: Float64Array): Uint8Array<ArrayBuffer> {
    const rows = { timestampsMs, words: wordsOf(timestampsMs.map(valueAt)) };
    this.#encoder.reset();
    for (const index of indexes) {
      this.#encoder.run(this.#fields[index]!, rows, 0, timestampsMs.length);
    }
    return new Uint8Array(snappyEncode(this.#encoder.bytes().slice()));
  }

  #post(
    url: string,
    body: Uint8Array<ArrayBuffer> | null,
    headers: Record<string, string>,
  ): Promise<Response> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    return fetch(url, { method: 'POST', body, headers, signal });
  }
}

function offerOf(labels: Labels, timeMs: number): Offer {
  return { series: labels.toString(), timeMs, value: String(valueAt(timeMs)) };
}

function valueAt(timeMs: number): number {
  return timeMs % 1_000_000;
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
