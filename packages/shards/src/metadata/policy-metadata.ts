import { type Env, errorText, Turns } from '@pollux/base';
import type { Metadata, MetricType } from '@pollux/model';
import type { MetricMetadata } from '@pollux/storage';
import type { Counter, Log } from '@pollux/telemetry';
import { ShardWriteError } from '../errors.ts';

/** When an entry was last seen is written at most so often. */
const REFRESH_MS = 6 * 3_600_000;
/** What nobody has sent for so long goes first when there is no room. */
const STALE_MS = 24 * 3_600_000;
const MAX_ENTRIES = 100_000;
const MAX_CHARACTERS = 32 * 1024 * 1024;
/** Of one name: targets may differ. */
const MAX_OF_A_NAME = 10;
const MAX_CHARACTERS_OF_AN_ENTRY = 16 * 1024;
/** The file is written anew when it has this many lines more than twice its entries. */
const SPARE_LINES = 1_000;

export type MetadataPlace = {
  readonly env: Env;
  readonly log: Log;
  readonly refused: Counter;
};

type Entry = Metadata & {
  readonly name: string;
  seenMs: number;
  /** `seenMs` as the file has it. */
  writtenMs: number;
};

/**
 * Metadata of metrics that was written to one retention policy: a file of lines to which news are appended, read when first asked
 * for. A writer sends all it knows every minute, so usually nothing is new and nothing is written.
 */
export class PolicyMetadata {
  readonly #place: MetadataPlace;
  readonly #directory: string;
  readonly #turns = new Turns();
  /** Null until the file was read. */
  #byName: Map<string, Entry[]> | null = null;
  #count = 0;
  #characters = 0;
  /** Of the file. */
  #lines = 0;
  #bytes = 0;
  /** The end of the file is not known to be good: the next write is of all of it. */
  #isDamaged = false;

  constructor(place: MetadataPlace, directory: string) {
    this.#place = place;
    this.#directory = directory;
  }

  static path(directory: string): string {
    return `${directory}/metric-metadata.jsonl`;
  }

  /** Entries in memory. */
  get count(): number {
    return this.#count;
  }

  /** Resolves when all of it is durable but what is too long or too much, which is left out and counted. Throws ShardWriteError. */
  write(rows: readonly MetricMetadata[]): Promise<void> {
    return this.#turns.take(async () => {
      const nowMs = this.#place.env.clock.now();
      const entries = this.#load();
      const staged = new StagedEntries();
      const seen: Entry[] = [];
      for (const row of rows) {
        const known = entries.get(row.name)?.find((entry) => isSame(entry, row));
        if (known !== undefined) {
          seen.push(known);
          if (nowMs - known.writtenMs >= REFRESH_MS) staged.refresh({ ...known, seenMs: nowMs });
          continue;
        }
        const { name, type, help, unit } = row;
        const entry = { name, type, help, unit, seenMs: nowMs, writtenMs: nowMs };
        if (staged.has(entry)) continue;
        if (this.#hasRoom(entry, staged, nowMs)) staged.add(entry);
        else this.#place.refused.inc();
      }
      if (staged.lines.length > 0) await this.#append(staged.lines);
      for (const entry of seen) {
        entry.seenMs = nowMs;
        if (nowMs - entry.writtenMs >= REFRESH_MS) entry.writtenMs = nowMs;
      }
      for (const entry of staged.fresh) this.#put(entry);
    });
  }

  /** By the order in which they came. */
  *entries(): Generator<readonly [name: string, metadata: Metadata]> {
    for (const [name, entries] of this.#load()) {
      for (const { type, help, unit } of entries) yield [name, { type, help, unit }];
    }
  }

  /** Forgets what was last seen before a time. */
  expire(beforeMs: number): void {
    // The file loses it when it is written anew; until then a restart finds it again, and the next call forgets it again.
    this.#forget((entry) => entry.seenMs < beforeMs);
  }

  /** Removes the file, for good. */
  drop(): Promise<void> {
    return this.#turns.take(async () => {
      this.#reset();
      const { files } = this.#place.env;
      const path = PolicyMetadata.path(this.#directory);
      if (!files.exists(path)) return;
      files.remove(path);
      files.syncDirectory(this.#directory);
    });
  }

  #reset(): void {
    this.#byName = new Map();
    this.#count = 0;
    this.#characters = 0;
    this.#lines = 0;
    this.#bytes = 0;
    this.#isDamaged = false;
  }

  #load(): Map<string, Entry[]> {
    if (this.#byName !== null) return this.#byName;
    const { env, log } = this.#place;
    const path = PolicyMetadata.path(this.#directory);
    const data = env.files.exists(path) ? env.files.readFile(path) : new Uint8Array(0);
    this.#reset();
    for (let start = 0; start < data.length; ) {
      const end = data.indexOf(0x0a, start);
      const entry = end < 0 ? null : entryOf(data.subarray(start, end));
      if (entry === null) {
        // Lines behind it were never acknowledged, or come again within a minute.
        log.warn('cut the end of a file of metadata away', { path, bytes: data.length - start });
        this.#isDamaged = true;
        break;
      }
      const known = this.#byName!.get(entry.name)?.find((one) => isSame(one, entry));
      if (known === undefined) this.#put(entry);
      else known.seenMs = known.writtenMs = entry.seenMs;
      this.#lines++;
      start = end + 1;
      this.#bytes = start;
    }
    return this.#byName!;
  }

  #put(entry: Entry): void {
    const ofName = this.#byName!.get(entry.name);
    if (ofName === undefined) this.#byName!.set(entry.name, [entry]);
    else ofName.push(entry);
    this.#count++;
    this.#characters += charactersOf(entry);
  }

  #hasRoom(entry: Entry, staged: StagedEntries, nowMs: number): boolean {
    const characters = charactersOf(entry);
    if (entry.name === '' || characters > MAX_CHARACTERS_OF_AN_ENTRY) return false;
    const isFull = (): boolean =>
      this.#count + staged.fresh.length >= MAX_ENTRIES ||
      this.#characters + staged.characters + characters > MAX_CHARACTERS ||
      (this.#byName!.get(entry.name)?.length ?? 0) + staged.ofName(entry.name) >= MAX_OF_A_NAME;
    if (!isFull()) return true;
    // Looking through all of them once a request is enough.
    if (staged.madeRoom) return false;
    staged.madeRoom = true;
    this.#forget(({ seenMs }) => seenMs < nowMs - STALE_MS);
    return !isFull();
  }

  #forget(isGone: (entry: Entry) => boolean): void {
    for (const [name, entries] of this.#load()) {
      const kept = entries.filter((entry) => !isGone(entry));
      if (kept.length === entries.length) continue;
      for (const entry of entries) if (isGone(entry)) this.#characters -= charactersOf(entry);
      this.#count -= entries.length - kept.length;
      if (kept.length > 0) this.#byName!.set(name, kept);
      else this.#byName!.delete(name);
    }
  }

  async #append(lines: readonly string[]): Promise<void> {
    const path = PolicyMetadata.path(this.#directory);
    const { files } = this.#place.env;
    try {
      if (this.#isDamaged || this.#lines > 2 * this.#count + SPARE_LINES) {
        const whole = Buffer.from(
          [...[...this.#byName!.values()].flat().map(lineOf), ...lines].join(''),
        );
        files.makeDirectory(this.#directory);
        files.replaceFile(path, whole);
        this.#isDamaged = false;
        this.#lines = this.#count + lines.length;
        this.#bytes = whole.length;
        return;
      }
      const isNew = !files.exists(path);
      if (isNew) files.makeDirectory(this.#directory);
      const file = files.open(path, isNew ? 'w' : 'r+');
      try {
        const data = Buffer.from(lines.join(''));
        file.write(data, 0, data.length, this.#bytes);
        await file.datasync();
        if (isNew) files.syncDirectory(this.#directory);
        this.#bytes += data.length;
        this.#lines += lines.length;
      } finally {
        file.close();
      }
    } catch (error) {
      // Of what was appended nobody knows what is on the disk.
      this.#isDamaged = true;
      throw new ShardWriteError(`cannot write ${path}: ${errorText(error)}`, error);
    }
  }
}

/** What one request adds. */
class StagedEntries {
  readonly fresh: Entry[] = [];
  readonly lines: string[] = [];
  characters = 0;
  madeRoom = false;
  readonly #known = new Set<string>();
  readonly #ofName = new Map<string, number>();

  has(entry: Entry): boolean {
    return this.#known.has(lineOf(entry));
  }

  ofName(name: string): number {
    return this.#ofName.get(name) ?? 0;
  }

  add(entry: Entry): void {
    const line = lineOf(entry);
    this.#known.add(line);
    this.fresh.push(entry);
    this.lines.push(line);
    this.characters += charactersOf(entry);
    this.#ofName.set(entry.name, this.ofName(entry.name) + 1);
  }

  /** One that is known, with the time at which it was seen now; a request that names it twice writes it twice. */
  refresh(entry: Entry): void {
    this.lines.push(lineOf(entry));
  }
}

function isSame(a: Metadata, b: Metadata): boolean {
  return a.type === b.type && a.help === b.help && a.unit === b.unit;
}

function charactersOf({ name, help, unit }: Entry): number {
  return name.length + help.length + unit.length;
}

function lineOf({ seenMs, name, type, help, unit }: Entry): string {
  return `${JSON.stringify([seenMs, name, type, help, unit])}\n`;
}

function entryOf(line: Uint8Array): Entry | null {
  let fields: unknown;
  try {
    fields = JSON.parse(new TextDecoder().decode(line));
  } catch {
    // A line that was being written when the power went.
    return null;
  }
  if (!Array.isArray(fields) || fields.length !== 5) return null;
  const [seenMs, name, type, help, unit] = fields as [number, ...string[]];
  if (typeof seenMs !== 'number') return null;
  for (const text of [name, type, help, unit]) if (typeof text !== 'string') return null;
  return {
    name: name!,
    type: type as MetricType,
    help: help!,
    unit: unit!,
    seenMs,
    writtenMs: seenMs,
  };
}
