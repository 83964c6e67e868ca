import { type ByteReader, DecodeError } from '@pollux/base';
import type { SampleColumns } from '../format/wal-record.ts';
import { isBefore } from '../head/series-record.ts';
import { type FeedNote, type FeedSlot, type FilledSlot, OP, OP_KIND } from './feed.protocol.ts';
import { LastTexts } from './last-texts.ts';
import { NEW_TEXT, NO_TOKEN, type TextTokens } from './text-tokens.ts';

/** What became of a record: `full` asks for another slot; `unfit` says that it is to be sent as it is. */
export type Added = 'added' | 'full' | 'unfit';

/** Series of one op; applying them takes about a millisecond. */
const SERIES_PER_OP = 512;
/** With less room a slot is full; a series that needs more is tried in an empty one. */
const SPARE_WORDS = 1024;
const SPARE_BYTES = 16 * 1024;

/** Fills one slot. */
export class SlotWriter {
  readonly #slot: FeedSlot;
  readonly #tokens: TextTokens;
  #ops = 0;
  #samples = 0;
  #words = 0;
  #bytes = 0;
  readonly #last = new LastTexts();
  /** Of the text that was added last. */
  #lastToken = 0;
  readonly #notes: FeedNote[] = [];
  readonly #large: Uint8Array<ArrayBuffer>[] = [];

  constructor(slot: FeedSlot, tokens: TextTokens) {
    this.#slot = slot;
    this.#tokens = tokens;
  }

  get isEmpty(): boolean {
    return this.#ops === 0;
  }

  /** Records that are in no slot. */
  get large(): readonly Uint8Array<ArrayBuffer>[] {
    return this.#large;
  }

  addNote(note: FeedNote, offset: number): Added {
    if (!this.#op(OP_KIND.note, this.#notes.length, 0, offset)) return 'full';
    this.#notes.push(note);
    return 'added';
  }

  addSamples(columns: SampleColumns, offset: number): Added {
    const { refs, timestampsMs, valueWords } = this.#slot;
    const { count } = columns;
    const starts = columns.startTimestampsMs;
    const kind = starts === null ? OP_KIND.samples : OP_KIND.samplesWithStart;
    if (count > refs.length) return 'unfit';
    const from = this.#samples;
    const to = from + count;
    if (to > refs.length || !this.#op(kind, from, to, offset)) return 'full';
    refs.set(columns.refs.subarray(0, count), from);
    timestampsMs.set(columns.timestampsMs.subarray(0, count), from);
    valueWords.set(columns.valueWords.subarray(0, count * 2), from * 2);
    if (starts !== null) this.#slot.startTimestampsMs.set(starts.subarray(0, count), from);
    this.#samples = to;
    return 'added';
  }

  /**
   * The series that `source` stands before, until it ends. At another answer than `added` it stands before the first that
   * was not taken. Unfit is one whose reference or labels no server writes, which does not decode, or is too large for a
   * slot: what it means is decided where it is applied.
   */
  addSeries(source: ByteReader, before: number, offset: number): Added {
    // What was read before stood in other bytes.
    this.#last.size = 0;
    while (source.remaining > 0) {
      const isRoom =
        this.#words + SPARE_WORDS <= this.#slot.seriesWords.length &&
        this.#bytes + SPARE_BYTES <= this.#slot.bytes.length &&
        this.#ops * OP.fields < this.#slot.ops.length;
      if (!isRoom) return 'full';
      const from = this.#words;
      let outcome: Added = 'added';
      for (let i = 0; i < SERIES_PER_OP && source.remaining > 0; i++) {
        outcome = this.#takeSeries(source);
        if (outcome !== 'added') break;
      }
      // Who has applied a part of a record has yet to read the record.
      const end = source.remaining === 0 ? offset : before;
      if (this.#words > from) this.#op(OP_KIND.series, from, this.#words, end);
      if (outcome !== 'added') return outcome;
    }
    return 'added';
  }

  #takeSeries(source: ByteReader): Added {
    const start = { offset: source.offset, words: this.#words, bytes: this.#bytes };
    const outcome = this.#trySeries(source);
    if (outcome !== 'added') {
      source.offset = start.offset;
      this.#words = start.words;
      this.#bytes = start.bytes;
      // Texts of this series count as sent, but were not.
      this.#tokens.forget();
      this.#last.size = 0;
    }
    return outcome;
  }

  #trySeries(source: ByteReader): Added {
    const { seriesWords } = this.#slot;
    const isFresh = this.#words === 0 && this.#bytes === 0;
    if (this.#words + 2 > seriesWords.length) return 'full';
    try {
      const ref = source.i64();
      const count = source.uvarint();
      // Two lengths of at least a byte each: a count beyond that is no count.
      if (ref <= 0 || ref >= 2 ** 32 || count > source.remaining / 2) return 'unfit';
      seriesWords[this.#words++] = ref;
      seriesWords[this.#words++] = count * 2;
      const outcome = this.#addLabels(source, count);
      return outcome === 'full' && isFresh ? 'unfit' : outcome;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return 'unfit';
    }
  }

  /** Unfit are labels out of order, given twice, or without name or value. */
  #addLabels(source: ByteReader, count: number): Added {
    const { data, end } = source;
    const last = this.#last;
    const known = last.size;
    last.reserve(count * 2);
    let at = source.offset;
    let nameStart = -1;
    let nameEnd = -1;
    let isNameOrdered = true;
    for (let i = 0; i < count * 2; i++) {
      let length = at < end ? data[at]! : 0x80;
      at++;
      if (length >= 0x80) {
        source.offset = at - 1;
        length = source.uvarint();
        at = source.offset;
      }
      const start = at;
      at += length;
      if (at > end) throw new DecodeError('unexpected end', start);
      if (length === 0) return 'unfit';
      const isSame = i < known && last.isText(i, data, start, length);
      if (i % 2 === 0) {
        // Names that stood in this order before are in order.
        if (!(isSame && isNameOrdered) && nameStart >= 0) {
          if (!isBefore(data, nameStart, nameEnd, start, at)) return 'unfit';
        }
        isNameOrdered = isSame;
        nameStart = start;
        nameEnd = at;
      }
      if (isSame && this.#tokens.versionOf(last.tokens[i]!) === last.versions[i]) {
        if (this.#words === this.#slot.seriesWords.length) return 'full';
        this.#slot.seriesWords[this.#words++] = last.tokens[i]!;
        last.starts[i] = start;
        continue;
      }
      if (!this.#addText(data, start, at)) return 'full';
      last.put(i, start, length, this.#lastToken, this.#tokens.versionOf(this.#lastToken));
    }
    last.size = count * 2;
    source.offset = at;
    return 'added';
  }

  #addText(data: Uint8Array, start: number, end: number): boolean {
    const { seriesWords, bytes } = this.#slot;
    const at = this.#bytes;
    if (this.#words + 3 > seriesWords.length || at + end - start > bytes.length) return false;
    const word = this.#tokens.take(data, start, end);
    this.#lastToken = word & NO_TOKEN;
    seriesWords[this.#words++] = word;
    if (word < NEW_TEXT) return true;
    for (let i = start; i < end; i++) bytes[at + i - start] = data[i]!;
    this.#bytes = at + end - start;
    seriesWords[this.#words++] = at;
    seriesWords[this.#words++] = this.#bytes;
    return true;
  }

  addRecord(record: Uint8Array, offset: number): Added {
    const { bytes } = this.#slot;
    if (record.length > bytes.length) {
      if (!this.#op(OP_KIND.largeRecord, this.#large.length, 0, offset)) return 'full';
      this.#large.push(new Uint8Array(record));
      return 'added';
    }
    const from = this.#bytes;
    const to = from + record.length;
    if (to > bytes.length || !this.#op(OP_KIND.record, from, to, offset)) return 'full';
    bytes.set(record, from);
    this.#bytes = to;
    return 'added';
  }

  filled(slot: number): FilledSlot {
    return {
      slot,
      opCount: this.#ops,
      byteCount: this.#bytes,
      notes: this.#notes,
      large: this.#large,
    };
  }

  #op(kind: number, from: number, to: number, offset: number): boolean {
    const { ops } = this.#slot;
    const at = this.#ops * OP.fields;
    if (at === ops.length) return false;
    ops[at + OP.kind] = kind;
    ops[at + OP.from] = from;
    ops[at + OP.to] = to;
    ops[at + OP.offset] = offset;
    this.#ops++;
    return true;
  }
}
