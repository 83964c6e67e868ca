import type { BlockWriter } from '../block/block-writer.ts';
import type { ChunkScan } from '../block/chunk-scan.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import { chunkSampleCount } from '../format/rewrite-chunk.ts';
import type { Interval } from '../head/intervals.ts';
import type { Slices } from '../slices.ts';
import { familyOf } from './chunk-families.ts';
import type { ChunkEncoder, ChunkFamily, EncodedChunk, SampleRun } from './chunk-family.ts';
import { FLOAT_FAMILIES, type FloatEncoding } from './float-families.ts';

/** One parent's part of a series. */
export type SeriesPart = {
  readonly chunks: readonly ChunkMeta[];
  readonly deleted: readonly Interval[];
  readonly scan: ChunkScan;
  /** Names the parent in errors. */
  readonly place: string;
};

/** A chunk and the part that it comes from. */
type PartChunk = ChunkMeta & { readonly part: SeriesPart };

/**
 * Writes the chunks of one series after the other into a block. A chunk that overlaps no other and has no deleted sample
 * is copied as bytes, unless its floats are wanted in another encoding; all others are decoded and encoded anew, one chunk
 * of each part at a time. Of samples at the same time the one of the first part stays, as in a query.
 */
export class SeriesMerger {
  readonly #writer: BlockWriter;
  readonly #slices: Slices;
  readonly #encoders = new Map<ChunkFamily, ChunkEncoder>();
  readonly #floats: FloatEncoding | null;
  #metas: ChunkMeta[] = [];

  /** `floats`: how floats are written; null writes them as they were. */
  constructor(writer: BlockWriter, slices: Slices, floats: FloatEncoding | null) {
    this.#writer = writer;
    this.#slices = slices;
    this.#floats = floats;
  }

  /** Parts in the order of precedence. Returns what the series' entry says; empty when no sample is left. */
  async merge(parts: readonly SeriesPart[]): Promise<readonly ChunkMeta[]> {
    this.#metas = [];
    const groups = overlapGroups(parts);
    for (const group of this.#floats === 'dense' ? joinFloats(groups) : groups) {
      const [only, ...others] = withoutCopies(group);
      const isAlone = only !== undefined && others.length === 0 && !isTouched(only);
      if (isAlone && !this.#isForeign(only)) await this.#copy(only);
      else if (!group.every(isDeleted)) await this.#rewrite(group, parts);
      if (this.#slices.isOver) await this.#slices.pause();
    }
    return this.#metas;
  }

  /** True for a chunk of floats in another encoding than the one wanted. */
  #isForeign(chunk: PartChunk): boolean {
    return (
      this.#floats !== null && isFloats(chunk) && encodingOf(chunk) !== CHUNK_ENCODING[this.#floats]
    );
  }

  async #copy({ part, ref, minMs, maxMs }: PartChunk): Promise<void> {
    const { encoding, bytes } = part.scan.read(ref);
    const chunk = { bytes, start: 0, end: bytes.length };
    const written = await this.#writer.addChunk(
      encoding,
      chunk,
      chunkSampleCount(bytes, 0, encoding),
    );
    this.#metas.push({ minMs, maxMs, ref: written });
  }

  async #rewrite(group: readonly PartChunk[], parts: readonly SeriesPart[]): Promise<void> {
    const cursors: SampleCursor[] = [];
    for (const part of parts) {
      const cursor = new SampleCursor(
        part,
        group.filter((chunk) => chunk.part === part),
      );
      if (cursor.advance()) cursors.push(cursor);
    }
    let encoder: ChunkEncoder | null = null;
    let family: ChunkFamily | null = null;
    let lastMs = Number.NEGATIVE_INFINITY;
    while (cursors.length > 0) {
      const least = leastOf(cursors);
      const atMs = least.timestampMs;
      if (atMs > lastMs) {
        const wanted = this.#familyOf(least.run);
        if (wanted !== family) {
          await this.#write(encoder?.finish() ?? null);
          family = wanted;
          encoder = this.#encoderOf(family);
        }
        const full: EncodedChunk | null = encoder!.add(least.run, least.index);
        if (full !== null) await this.#write(full);
        lastMs = atMs;
      }
      for (let i = cursors.length - 1; i >= 0; i--) {
        const cursor = cursors[i]!;
        if (cursor.timestampMs <= atMs && !cursor.advance()) cursors.splice(i, 1);
      }
      if (this.#slices.isOver) await this.#slices.pause();
    }
    await this.#write(encoder?.finish() ?? null);
  }

  /** Who encodes the run. */
  #familyOf({ family }: SampleRun): ChunkFamily {
    const isFloat = Object.values(FLOAT_FAMILIES).includes(family);
    return isFloat && this.#floats !== null ? FLOAT_FAMILIES[this.#floats] : family;
  }

  #encoderOf(family: ChunkFamily): ChunkEncoder {
    const known = this.#encoders.get(family) ?? family.createEncoder();
    this.#encoders.set(family, known);
    return known;
  }

  async #write(chunk: EncodedChunk | null): Promise<void> {
    if (chunk === null) return;
    const { encoding, samples, minMs, maxMs } = chunk;
    this.#metas.push({ minMs, maxMs, ref: await this.#writer.addChunk(encoding, chunk, samples) });
  }
}

/** Walks the samples of one part's chunks that are not deleted. */
class SampleCursor {
  readonly #part: SeriesPart;
  readonly #chunks: readonly PartChunk[];
  #nextChunk = 0;
  #run: SampleRun | null = null;
  #interval = 0;
  index = -1;

  constructor(part: SeriesPart, chunks: readonly PartChunk[]) {
    this.#part = part;
    this.#chunks = chunks;
  }

  /** Of the current sample; only after {@link advance} gave true. */
  get run(): SampleRun {
    return this.#run!;
  }

  get timestampMs(): number {
    return this.#run!.timestampsMs[this.index]!;
  }

  advance(): boolean {
    for (;;) {
      this.index++;
      if (this.#run === null || this.index >= this.#run.count) {
        if (!this.#load()) return false;
        continue;
      }
      if (!this.#isDeleted(this.timestampMs)) return true;
    }
  }

  /** Decodes the next chunk that has samples, and stands before its first. */
  #load(): boolean {
    const { scan, place } = this.#part;
    const chunk = this.#chunks[this.#nextChunk++];
    if (chunk === undefined) return false;
    const { encoding, bytes } = scan.read(chunk.ref);
    const where = (): string => `${place}, reference ${chunk.ref}`;
    this.#run = familyOf(encoding, where).decode(encoding, bytes, where);
    this.index = -1;
    this.#interval = 0;
    return true;
  }

  #isDeleted(timestampMs: number): boolean {
    const { deleted } = this.#part;
    while (this.#interval < deleted.length && deleted[this.#interval]!.maxMs < timestampMs) {
      this.#interval++;
    }
    return this.#interval < deleted.length && deleted[this.#interval]!.minMs <= timestampMs;
  }
}

/** The one with the oldest sample; of equal ones the first. */
function leastOf(cursors: readonly SampleCursor[]): SampleCursor {
  let least = cursors[0]!;
  for (const cursor of cursors) if (cursor.timestampMs < least.timestampMs) least = cursor;
  return least;
}

/** All chunks by time, those together that overlap directly or in a chain. */
function overlapGroups(parts: readonly SeriesPart[]): PartChunk[][] {
  const all = parts.flatMap((part) => part.chunks.map((chunk) => ({ ...chunk, part })));
  // Stable: of equal times the first part's chunk stays first.
  if (parts.length > 1) all.sort((a, b) => a.minMs - b.minMs);
  const groups: PartChunk[][] = [];
  let maxMs = Number.NEGATIVE_INFINITY;
  for (const chunk of all) {
    if (chunk.minMs > maxMs) groups.push([chunk]);
    else groups.at(-1)!.push(chunk);
    maxMs = Math.max(maxMs, chunk.maxMs);
  }
  return groups;
}

/** Groups that follow each other and have nothing but floats become one, so that their samples fill whole chunks. */
function joinFloats(groups: readonly PartChunk[][]): PartChunk[][] {
  const joined: PartChunk[][] = [];
  let isOpen = false;
  for (const group of groups) {
    const isFloat = group.every(isFloats);
    if (isFloat && isOpen) joined.at(-1)!.push(...group);
    else joined.push([...group]);
    isOpen = isFloat;
  }
  return joined;
}

function isFloats(chunk: PartChunk): boolean {
  const encoding = encodingOf(chunk);
  return encoding === CHUNK_ENCODING.xor || encoding === CHUNK_ENCODING.dense;
}

function encodingOf({ part, ref }: PartChunk): number {
  return part.scan.read(ref).encoding;
}

/** The group without chunks that are the same as the one before them, as after the same data was put in twice. */
function withoutCopies(group: readonly PartChunk[]): PartChunk[] {
  const kept: PartChunk[] = [];
  for (const chunk of group) {
    const last = kept.at(-1);
    if (last === undefined || !isCopy(last, chunk)) kept.push(chunk);
  }
  return kept;
}

function isCopy(a: PartChunk, b: PartChunk): boolean {
  if (a.part === b.part || a.minMs !== b.minMs || a.maxMs !== b.maxMs) return false;
  if (isTouched(a) || isTouched(b)) return false;
  const one = a.part.scan.read(a.ref);
  const other = b.part.scan.read(b.ref);
  return one.encoding === other.encoding && Buffer.compare(one.bytes, other.bytes) === 0;
}

function isTouched({ part, minMs, maxMs }: PartChunk): boolean {
  return part.deleted.some((interval) => interval.maxMs >= minMs && interval.minMs <= maxMs);
}

function isDeleted({ part, minMs, maxMs }: ChunkMeta & { readonly part: SeriesPart }): boolean {
  return part.deleted.some((interval) => interval.minMs <= minMs && interval.maxMs >= maxMs);
}
