import type { BlockWriter } from '../block/block-writer.ts';
import type { ChunkScan } from '../block/chunk-scan.ts';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import { hasFloatStartTimes, isFloatEncoding } from '../format/float-chunk.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import { chunkSampleCount } from '../format/rewrite-chunk.ts';
import type { Interval } from '../head/intervals.ts';
import type { Slices } from '../slices.ts';
import { familyOf, widerFamily } from './chunk-families.ts';
import type {
  ChunkEncoder,
  ChunkFamily,
  EncodedChunk,
  SampleKind,
  SampleRun,
} from './chunk-family.ts';
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
class PartChunk implements ChunkMeta {
  readonly part: SeriesPart;
  readonly ref: number;
  readonly minMs: number;
  readonly maxMs: number;
  #encoding = -1;
  #isFloats = false;

  constructor(part: SeriesPart, { ref, minMs, maxMs }: ChunkMeta) {
    this.part = part;
    this.ref = ref;
    this.minMs = minMs;
    this.maxMs = maxMs;
  }

  get encoding(): number {
    this.#look();
    return this.#encoding;
  }

  /** True for floats that lose nothing in another encoding. */
  get isFloats(): boolean {
    this.#look();
    return this.#isFloats;
  }

  /** Names it in errors. */
  get place(): string {
    return `${this.part.place}, reference ${this.ref}`;
  }

  /** Reads the chunk once for what is asked again and again. */
  #look(): void {
    if (this.#encoding >= 0) return;
    const { encoding, bytes } = this.part.scan.read(this.ref);
    this.#encoding = encoding;
    this.#isFloats = isFloatEncoding(encoding) && !hasFloatStartTimes(encoding, bytes, 0);
  }
}

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

  /** True for a chunk of floats that is wanted in another encoding. */
  #isForeign(chunk: PartChunk): boolean {
    return (
      this.#floats !== null && chunk.isFloats && chunk.encoding !== CHUNK_ENCODING[this.#floats]
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
    const targets = this.#targetsOf(group);
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
    let last: SampleCursor | null = null;
    let lastMs = Number.NEGATIVE_INFINITY;
    while (cursors.length > 0) {
      const least = leastOf(cursors);
      const atMs = least.timestampMs;
      if (atMs > lastMs) {
        const wanted = targets.get(least.run.family.kind)!;
        if (wanted !== family) {
          await this.#finish(encoder);
          family = wanted;
          encoder = this.#encoderOf(family);
        }
        const isNext: boolean = last === least && !least.hasSkipped;
        const full: EncodedChunk | null = encoder!.add(least.run, least.index, isNext);
        if (full !== null) await this.#write(full);
        last = least;
        lastMs = atMs;
      }
      for (let i = cursors.length - 1; i >= 0; i--) {
        const cursor = cursors[i]!;
        if (cursor.timestampMs <= atMs && !cursor.advance()) cursors.splice(i, 1);
      }
      if (this.#slices.isOver) await this.#slices.pause();
    }
    await this.#finish(encoder);
  }

  /** Who encodes which kind of samples of a group: one for each kind, or chunks of different encodings would alternate. */
  #targetsOf(group: readonly PartChunk[]): ReadonlyMap<SampleKind, ChunkFamily> {
    const targets = new Map<SampleKind, ChunkFamily>();
    for (const chunk of group) {
      const family = this.#targetOf(chunk);
      targets.set(family.kind, widerFamily(targets.get(family.kind) ?? family, family));
    }
    return targets;
  }

  #targetOf(chunk: PartChunk): ChunkFamily {
    if (this.#floats !== null && chunk.isFloats) return FLOAT_FAMILIES[this.#floats];
    return familyOf(chunk.encoding, () => chunk.place);
  }

  #encoderOf(family: ChunkFamily): ChunkEncoder {
    const known = this.#encoders.get(family) ?? family.createEncoder();
    this.#encoders.set(family, known);
    return known;
  }

  async #finish(encoder: ChunkEncoder | null): Promise<void> {
    if (encoder === null) return;
    for (let last = encoder.finish(); last !== null; last = encoder.finish()) {
      await this.#write(last);
    }
  }

  async #write(chunk: EncodedChunk): Promise<void> {
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
  /** True when samples between the current one and the one before it are deleted, or may be. */
  hasSkipped = true;

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
    this.hasSkipped = this.#run === null;
    for (;;) {
      this.index++;
      if (this.#run === null || this.index >= this.#run.count) {
        if (!this.#load()) return false;
        continue;
      }
      if (!this.#isDeleted(this.timestampMs)) return true;
      this.hasSkipped = true;
    }
  }

  /** Decodes the next chunk that has samples, and stands before its first. */
  #load(): boolean {
    const { scan } = this.#part;
    const chunk = this.#chunks[this.#nextChunk++];
    if (chunk === undefined) return false;
    const { encoding, bytes } = scan.read(chunk.ref);
    const where = (): string => chunk.place;
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
  const all = parts.flatMap((part) => part.chunks.map((chunk) => new PartChunk(part, chunk)));
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
    const isFloat = group.every((chunk) => chunk.isFloats);
    if (isFloat && isOpen) joined.at(-1)!.push(...group);
    else joined.push([...group]);
    isOpen = isFloat;
  }
  return joined;
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
