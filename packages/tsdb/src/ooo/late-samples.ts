import { assert, type ByteWriter } from '@pollux/base';
import {
  createSampleColumns,
  encodeSamples,
  growSampleColumns,
  type SampleColumns,
} from '../format/wal-record.ts';
import type { AppendBounds } from '../head/append-bounds.ts';
import type { Head } from '../head/head.ts';
import type { TsdbMetrics } from '../metrics.ts';

export type LateSamplesOptions = {
  readonly head: Head;
  readonly metrics: TsdbMetrics;
  /** The batch; its order is the order of arrival. */
  readonly staged: SampleColumns;
  readonly bounds: AppendBounds;
  /** Where records are encoded before they are written. */
  readonly scratch: ByteWriter;
};

/** Samples of one log record. */
const SAMPLES_PER_RECORD = 100_000;
/** What becomes of a staged sample. */
const FATE = { inOrder: 0, late: 1, dropped: 2 } as const;

/**
 * Parts one batch, at its commit, into samples that go on in order and samples that are late, and logs those before they
 * can be seen. A sample may have become late since it was staged: by an earlier one of the batch or by another batch.
 */
export class LateSamples {
  readonly #options: LateSamplesOptions;
  readonly #fates: Uint8Array;
  readonly #late: SampleColumns = createSampleColumns(0);
  #logged = 0;

  constructor(options: LateSamplesOptions) {
    this.#options = options;
    this.#fates = new Uint8Array(options.staged.count);
  }

  /** Decides about the samples that were in order so far; returns true when some are late and not logged yet. */
  part(): boolean {
    const { head, staged, bounds, metrics } = this.#options;
    const { table, outOfOrder } = head;
    const { refs, timestampsMs, valueWords, count } = staged;
    const pendingMs = outOfOrder.pendingMs(table.slotLimit);
    for (let i = 0; i < count; i++) {
      if (this.#fates[i] !== FATE.inOrder) continue;
      const slot = table.slotOf(refs[i]!);
      const at = timestampsMs[i]!;
      if (slot < 0) {
        this.#fates[i] = FATE.dropped;
        continue;
      }
      const newestMs = Math.max(table.maxMs[slot]!, pendingMs[slot]!);
      if (at >= bounds.minValidMs && at >= newestMs) {
        // The same time once more adds nothing: the first sample of a time stays.
        if (at > newestMs) pendingMs[slot] = at;
        else this.#fates[i] = FATE.dropped;
      } else if (at < bounds.newestMs - bounds.windowMs) {
        this.#fates[i] = FATE.dropped;
        metrics.tooOldSamples.inc();
      } else if (outOfOrder.samples.isKnown(slot, at)) {
        this.#fates[i] = FATE.dropped;
      } else {
        this.#fates[i] = FATE.late;
        const next = this.#late.count++;
        growSampleColumns(this.#late, this.#late.count);
        this.#late.refs[next] = refs[i]!;
        this.#late.timestampsMs[next] = at;
        this.#late.valueWords[next * 2] = valueWords[i * 2]!;
        this.#late.valueWords[next * 2 + 1] = valueWords[i * 2 + 1]!;
      }
    }
    for (let i = 0; i < count; i++) {
      const slot = table.slotOf(refs[i]!);
      if (slot >= 0) pendingMs[slot] = Number.NEGATIVE_INFINITY;
    }
    return this.#late.count > this.#logged;
  }

  isInOrder(index: number): boolean {
    return this.#fates[index] === FATE.inOrder;
  }

  /** Writes the late samples that {@link part} has found since the last call. Throws WalWriteError. */
  log(): void {
    const { head, scratch } = this.#options;
    const { log } = head.outOfOrder;
    assert(log !== null, 'an open window has a log');
    if (this.#logged === this.#late.count) return;
    scratch.reset();
    const ends: number[] = [];
    for (let start = this.#logged; start < this.#late.count; start += SAMPLES_PER_RECORD) {
      const end = Math.min(this.#late.count, start + SAMPLES_PER_RECORD);
      encodeSamples(scratch, this.#late, start, end);
      ends.push(scratch.size);
    }
    const bytes = scratch.bytes();
    log.write(ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1]!, end)));
    this.#logged = this.#late.count;
  }

  /** Resolves when what was logged is on the disk, also what an earlier batch logged of the same samples. */
  async sync(): Promise<void> {
    await this.#options.head.outOfOrder.log?.sync();
  }

  /** Makes the late samples visible; returns how many. */
  publish(): number {
    const { head, metrics } = this.#options;
    const { table } = head;
    const { refs, timestampsMs, valueWords, count } = this.#late;
    const chunks = head.outOfOrder.samples.chunkCount;
    let taken = 0;
    for (let i = 0; i < count; i++) {
      const slot = table.slotOf(refs[i]!);
      if (slot < 0) continue;
      const low = valueWords[i * 2]!;
      if (head.appendLate(slot, timestampsMs[i]!, low, valueWords[i * 2 + 1]!)) taken++;
    }
    metrics.chunksCreated.inc(head.outOfOrder.samples.chunkCount - chunks);
    metrics.outOfOrderAppended.inc(taken);
    return taken;
  }
}
