import { type ByteReader, type ByteWriter, DecodeError, type Env } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import type { Alert } from '../alert/alert.ts';
import type { DurableMetrics } from '../durable/durable-metrics.ts';
import { RecordLog } from '../durable/record-log.ts';
import { DeadLetters } from './dead-letters.ts';
import { type DeadLetter, type OutboxEntry, type Owed, owedKey } from './owed.ts';
import { encodeOwed, readLetter, readOwed, writeLetter } from './owed-codec.ts';

/** More than so many, or so many bytes, are not owed: the oldest become dead letters. */
const MAX_ENTRIES = 10_000;
const MAX_BYTES = 32 * 1024 * 1024;
/** A larger notification is not kept. */
const MAX_ENTRY_BYTES = 4 * 1024 * 1024;
/** What is kept of an error. */
const MAX_ERROR_LENGTH = 2_000;

/** First byte of each record; see outbox.md. */
const RECORD = {
  owed: 1,
  attempt: 2,
  gone: 3,
  escalated: 4,
  letter: 5,
  letterGone: 6,
  replay: 7,
} as const;

export type OutboxStoreOptions = {
  readonly env: Pick<Env, 'clock' | 'files'>;
  readonly log: Log;
  readonly metrics: DurableMetrics;
  readonly directory: string;
  /** The same alert with the identity that is known of its labels. */
  readonly adopt: (alert: Alert) => Alert;
};

/** What is owed and what was given up, in memory and in the file `outbox`. */
export class OutboxStore {
  /** Oldest first. */
  readonly #entries = new Map<number, OutboxEntry>();
  readonly #byKey = new Map<string, OutboxEntry>();
  readonly #options: OutboxStoreOptions;
  readonly #file: RecordLog;
  readonly letters: DeadLetters;
  #lastId = 0;
  #bytes = 0;

  constructor(options: OutboxStoreOptions) {
    this.#options = options;
    const { env, log, metrics, directory } = options;
    this.letters = new DeadLetters({
      onGone: (id) => this.#note(RECORD.letterGone, id),
      onReplay: (id, { atMs, error }) =>
        this.#file.append((writer) => {
          writer.u8(RECORD.replay);
          writer.uvarint(id);
          writer.varint(atMs);
          writer.uvarintText(error);
        }),
    });
    this.#file = new RecordLog({
      env,
      log,
      metrics,
      directory,
      name: 'outbox',
      kind: 'O',
      take: (reader) => this.#take(reader),
      state: (writer) => this.#state(writer),
    });
  }

  /** Reads the file. Never throws for what is in it. */
  open(): void {
    this.#file.open();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  get size(): number {
    return this.#entries.size;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Oldest first. */
  entries(): Iterable<OutboxEntry> {
    return this.#entries.values();
  }

  of(key: string): OutboxEntry | undefined {
    return this.#byKey.get(key);
  }

  /** Keeps it, in place of what was owed to the same integration for the same group; null when it is too large. */
  put(owed: Owed, error: string): OutboxEntry | null {
    const bytes = encodeOwed(owed);
    if (bytes.length > MAX_ENTRY_BYTES) return null;
    const known = this.#byKey.get(owedKey(owed));
    const failures = error === '' ? 0 : 1;
    const entry: OutboxEntry = known ?? {
      id: ++this.#lastId,
      owed,
      attempts: 0,
      error: '',
      isEscalated: false,
      sizeBytes: 0,
    };
    entry.owed = owed;
    entry.attempts += failures;
    entry.error = error.slice(0, MAX_ERROR_LENGTH);
    this.#add(entry, bytes.length);
    this.#file.append((writer) => writeEntry(writer, entry, bytes));
    return entry;
  }

  /** Those that have to go for the others to fit. */
  *overflowing(): IterableIterator<OutboxEntry> {
    for (const entry of this.#entries.values()) {
      if (this.#entries.size <= MAX_ENTRIES && this.#bytes <= MAX_BYTES) return;
      yield entry;
    }
  }

  noteAttempt(entry: OutboxEntry, error: string): void {
    entry.attempts++;
    entry.error = error.slice(0, MAX_ERROR_LENGTH);
    this.#file.append((writer) => {
      writer.u8(RECORD.attempt);
      writer.uvarint(entry.id);
      writer.uvarint(entry.attempts);
      writer.uvarintText(entry.error);
    });
  }

  noteEscalated(entry: OutboxEntry): void {
    entry.isEscalated = true;
    this.#note(RECORD.escalated, entry.id);
  }

  remove(id: number): void {
    this.#drop(id);
    this.#note(RECORD.gone, id);
  }

  /** In place of the letter of the same group and integration; which one had to make room is returned. */
  bury(
    owed: Owed,
    how: Pick<DeadLetter, 'cause' | 'error' | 'attempts' | 'diedMs'>,
  ): readonly DeadLetter[] {
    const before = this.letters.of(owedKey(owed));
    if (before !== undefined) this.letters.remove(before.id);
    const letter: DeadLetter = {
      ...how,
      id: ++this.#lastId,
      owed,
      error: how.error.slice(0, MAX_ERROR_LENGTH),
      deaths: (before?.deaths ?? 0) + 1,
      replay: null,
    };
    const bytes = encodeOwed(owed);
    this.#file.append((writer) => writeLetterRecord(writer, letter, bytes));
    return this.letters.add(letter, bytes.length);
  }

  #note(kind: number, id: number): void {
    this.#file.append((writer) => {
      writer.u8(kind);
      writer.uvarint(id);
    });
  }

  #add(entry: OutboxEntry, sizeBytes: number): void {
    this.#bytes += sizeBytes - entry.sizeBytes;
    entry.sizeBytes = sizeBytes;
    this.#entries.set(entry.id, entry);
    this.#byKey.set(owedKey(entry.owed), entry);
  }

  #drop(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#bytes -= entry.sizeBytes;
    const key = owedKey(entry.owed);
    if (this.#byKey.get(key) === entry) this.#byKey.delete(key);
  }

  *#state(writer: ByteWriter): Generator<void, void> {
    for (const entry of this.#entries.values()) {
      writeEntry(writer, entry, encodeOwed(entry.owed));
      yield;
    }
    for (const letter of this.letters.all()) {
      writeLetterRecord(writer, letter, encodeOwed(letter.owed));
      yield;
    }
  }

  #take(reader: ByteReader): void {
    const kind = reader.u8();
    const id = reader.uvarint();
    this.#lastId = Math.max(this.#lastId, id);
    const entry = this.#entries.get(id);
    switch (kind) {
      case RECORD.owed:
        this.#takeEntry(id, reader);
        return;
      case RECORD.attempt: {
        const attempts = reader.uvarint();
        const error = reader.uvarintText();
        if (entry !== undefined) Object.assign(entry, { attempts, error });
        return;
      }
      case RECORD.gone:
        this.#drop(id);
        return;
      case RECORD.escalated:
        if (entry !== undefined) entry.isEscalated = true;
        return;
      case RECORD.letter: {
        const start = reader.offset;
        const letter = readLetter(id, reader);
        this.letters.restore(
          { ...letter, owed: this.#adopted(letter.owed) },
          reader.offset - start,
        );
        return;
      }
      case RECORD.letterGone:
        this.letters.forget(id);
        return;
      case RECORD.replay: {
        const atMs = reader.varint();
        this.letters.restoreReplay(id, { atMs, error: reader.uvarintText() });
        return;
      }
      default:
        throw new DecodeError(`no record of kind ${kind}`, reader.offset);
    }
  }

  #takeEntry(id: number, reader: ByteReader): void {
    const attempts = reader.uvarint();
    const error = reader.uvarintText();
    const isEscalated = reader.u8() === 1;
    const start = reader.offset;
    const owed = this.#adopted(readOwed(reader));
    this.#drop(id);
    const sizeBytes = reader.offset - start;
    this.#add({ id, owed, attempts, error, isEscalated, sizeBytes: 0 }, sizeBytes);
  }

  #adopted(owed: Owed): Owed {
    return { ...owed, alerts: owed.alerts.map(this.#options.adopt) };
  }
}

function writeEntry(writer: ByteWriter, entry: OutboxEntry, owed: Uint8Array): void {
  writer.u8(RECORD.owed);
  writer.uvarint(entry.id);
  writer.uvarint(entry.attempts);
  writer.uvarintText(entry.error);
  writer.u8(entry.isEscalated ? 1 : 0);
  writer.raw(owed);
}

function writeLetterRecord(writer: ByteWriter, letter: DeadLetter, owed: Uint8Array): void {
  writer.u8(RECORD.letter);
  writer.uvarint(letter.id);
  writeLetter(writer, letter, owed);
}
