import { ByteReader, DecodeError, defined, type WorkerPort, type WorkerWorld } from '@pollux/base';
import {
  createSampleColumns,
  decodeSamples,
  decodeSamplesWithStart,
  RECORD,
} from '../format/wal-record.ts';
import { Slices } from '../slices.ts';
import { LogFile } from '../wal/log-sources.ts';
import type { Damage } from '../wal/segment-reader.ts';
import { Zstd } from '../wal/zstd.ts';
import type { FeedNote, FeedStart, FilledSlot, FreeSlot } from './feed.protocol.ts';
import { type Added, SlotWriter } from './slot-writer.ts';
import { TextTokens } from './text-tokens.ts';

/** Reads the files and fills slot after slot. */
export class FeedWriter {
  readonly #port: WorkerPort<FreeSlot, FilledSlot>;
  readonly #start: FeedStart;
  readonly #world: WorkerWorld;
  readonly #slices: Slices;
  readonly #tokens = new TextTokens();
  readonly #columns = createSampleColumns(4096);
  readonly #free: number[];
  #slot: number;
  #writer: SlotWriter;

  constructor(port: WorkerPort<FreeSlot, FilledSlot>, start: FeedStart, world: WorkerWorld) {
    this.#port = port;
    this.#start = start;
    this.#world = world;
    this.#slices = new Slices(world.clock, port.signal);
    this.#free = [...start.slots.keys()];
    this.#slot = defined(this.#free.shift(), 'a slot');
    this.#writer = this.#writerOf(this.#slot);
  }

  async run(): Promise<void> {
    const zstd = new Zstd();
    for (const [index, source] of this.#start.sources.entries()) {
      await this.#note({ kind: 'file', source: index }, source.offset);
      const damages: Damage[] = [];
      const file = new LogFile(this.#world.files, source, zstd, (damage) => damages.push(damage));
      try {
        for (;;) {
          const before = file.offset;
          const record = file.next(source.size);
          for (const damage of damages.splice(0)) {
            await this.#note({ kind: 'damage', damage }, damage.endOffset);
          }
          if (record === null) break;
          if (record === 'load') await file.loadZstd();
          else {
            const waiting = this.#add(record, before, file.offset);
            if (waiting !== null) await waiting;
          }
        }
      } finally {
        file.close();
      }
      await this.#note({ kind: 'end' }, source.size);
    }
    this.#send();
  }

  /** Null when the record is added: a promise for each record would cost more than reading it. */
  #add(record: Uint8Array, before: number, offset: number): Promise<void> | null {
    const kind = record[0];
    if (kind === RECORD.series) {
      const source = new ByteReader(record, 1);
      return this.#until(
        () => this.#writer.addSeries(source, before, offset),
        () => this.#addRest(source, offset),
      );
    }
    const isSamples = kind === RECORD.samples || kind === RECORD.samplesWithStart;
    if (isSamples && this.#decode(record)) {
      return this.#until(
        () => this.#writer.addSamples(this.#columns, offset),
        () => this.#addWhole(record, offset),
      );
    }
    return this.#addWhole(record, offset);
  }

  #decode(record: Uint8Array): boolean {
    const columns = this.#columns;
    columns.count = 0;
    if (record[0] === RECORD.samples) columns.startTimestampsMs = null;
    const source = new ByteReader(record, 1);
    try {
      if (record[0] === RECORD.samples) decodeSamples(source, columns);
      else decodeSamplesWithStart(source, columns);
      return true;
    } catch (error) {
      // Who applies the record finds the same and says so.
      if (error instanceof DecodeError) return false;
      throw error;
    }
  }

  #addWhole(record: Uint8Array, offset: number): Promise<void> | null {
    return this.#until(() => this.#writer.addRecord(record, offset), null);
  }

  /** What is left of a record of series as one of its own. */
  #addRest(source: ByteReader, offset: number): Promise<void> | null {
    const rest = new Uint8Array(source.remaining + 1);
    rest[0] = RECORD.series;
    rest.set(source.data.subarray(source.offset, source.offset + source.remaining), 1);
    return this.#addWhole(rest, offset);
  }

  async #note(note: FeedNote, offset: number): Promise<void> {
    await this.#until(() => this.#writer.addNote(note, offset), null);
  }

  /** Adds something, in another slot when this one is full; `instead` adds it when it fits in none as it is. */
  #until(add: () => Added, instead: (() => Promise<void> | null) | null): Promise<void> | null {
    const outcome = add();
    if (outcome === 'full') return this.#inNextSlot(add, instead);
    if (outcome === 'unfit') return defined(instead, 'another way')();
    // Memory outside of the slots must not pile up.
    return this.#writer.large.length > 0 ? this.#nextSlot() : null;
  }

  async #inNextSlot(add: () => Added, instead: (() => Promise<void> | null) | null): Promise<void> {
    await this.#nextSlot();
    await this.#until(add, instead);
  }

  async #nextSlot(): Promise<void> {
    this.#send();
    await this.#slices.pause();
    this.#slot = this.#free.shift() ?? (await this.#port.receive()).slot;
    this.#writer = this.#writerOf(this.#slot);
  }

  #send(): void {
    const { large } = this.#writer;
    this.#port.post(
      this.#writer.filled(this.#slot),
      large.map(({ buffer }) => buffer),
    );
  }

  #writerOf(slot: number): SlotWriter {
    return new SlotWriter(defined(this.#start.slots[slot], 'the slot'), this.#tokens);
  }
}
