import { defined } from '@pollux/base';
import type { Symbols } from '@pollux/index';
import type { LogApplier } from '../head/apply-log.ts';
import { createSymbolLabels } from '../head/series-record.ts';
import {
  type FeedNote,
  type FeedSlot,
  type FilledSlot,
  OP,
  OP_KIND,
  SLOT_BYTES,
  slotColumns,
} from './feed.protocol.ts';
import { FeedTexts } from './feed-texts.ts';

/** Applies the ops of filled slots. */
export class FeedApplier {
  readonly #applier: LogApplier;
  readonly #texts: FeedTexts;
  readonly #labels = createSymbolLabels();
  /** A copy of the slot's bytes: texts are not decoded from shared memory. */
  readonly #bytes = new Uint8Array(SLOT_BYTES);

  constructor(applier: LogApplier, symbols: Symbols) {
    this.#applier = applier;
    this.#texts = new FeedTexts(symbols);
  }

  /** To be called before the first op of a slot. */
  begin({ bytes }: FeedSlot, { byteCount }: FilledSlot): void {
    this.#bytes.set(bytes.subarray(0, byteCount));
  }

  /**
   * Applies op number `index`, or returns it when it is a note. Throws CorruptionError or DecodeError for a record of the
   * file `path` that does not decode.
   */
  apply(slot: FeedSlot, filled: FilledSlot, index: number, path: string): FeedNote | null {
    const at = index * OP.fields;
    const from = slot.ops[at + OP.from]!;
    const to = slot.ops[at + OP.to]!;
    switch (slot.ops[at + OP.kind]) {
      case OP_KIND.samples:
        this.#applier.applySamples(slotColumns(slot, false), from, to);
        return null;
      case OP_KIND.samplesWithStart:
        this.#applier.applySamples(slotColumns(slot, true), from, to);
        return null;
      case OP_KIND.series:
        this.#applySeries(slot.seriesWords, from, to);
        return null;
      case OP_KIND.record:
        this.#applier.apply(this.#bytes.subarray(from, to), path);
        return null;
      case OP_KIND.largeRecord:
        this.#applier.apply(defined(filled.large[from], 'the record'), path);
        return null;
      default:
        return defined(filled.notes[from], 'the note');
    }
  }

  #applySeries(words: Uint32Array, from: number, to: number): void {
    const source = { bytes: this.#bytes, target: this.#labels };
    for (let at = from; at < to; ) {
      const ref = words[at]!;
      at = this.#texts.read(words, at + 2, words[at + 1]!, source);
      this.#applier.applySeries(ref, this.#labels);
    }
  }
}
