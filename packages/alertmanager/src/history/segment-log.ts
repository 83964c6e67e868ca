import type { File, Files, Slices } from '@pollux/base';
import { FILE_HEAD_BYTES, fileHead, hasFileHead, isOfAnotherVersion } from '../frames/frames.ts';
import type { Frames } from './frame-batch.ts';
import { type FrameView, wholeFrames } from './record-frames.ts';

export type SegmentLogOptions = {
  readonly files: Files;
  readonly directory: string;
  /** A file that has grown over this is closed and the next begun. */
  readonly segmentBytes: number;
};

/** One file. The newest is being written; of the others the name tells what they hold. */
export type Segment = {
  readonly firstId: number;
  /** Of the records in it, ms; infinite the wrong way round while it is empty. */
  readonly minMs: number;
  readonly maxMs: number;
  readonly sizeBytes: number;
  readonly name: string;
};

type OpenSegment = Segment & { readonly file: File };

const KIND = 'H';
const READ_BYTES = 256 * 1024;
const SEALED = /^(\d{16})-(\d{1,15})-(\d{1,15})\.log$/;
const ACTIVE = /^(\d{16})\.log$/;

/**
 * Append-only files of records, oldest first; see history-log.md. Nothing is changed once it is written: the end of the
 * newest file is cut where a crash tore it, and old files are removed whole.
 */
export class SegmentLog {
  readonly #options: SegmentLogOptions;
  #sealed: Segment[] = [];
  /** Grown over their size, not yet synced and given their last name. */
  #ending: OpenSegment[] = [];
  #active: OpenSegment | null = null;
  #nextId = 1;

  constructor(options: SegmentLogOptions) {
    this.#options = options;
  }

  /** The number of the next record. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Oldest first. */
  get segments(): readonly Segment[] {
    const closed = [...this.#sealed, ...this.#ending];
    return this.#active === null ? closed : [...closed, this.#active];
  }

  get sizeBytes(): number {
    return this.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /**
   * Finds the files; repairs and seals those that were being written when the program ended. Returns the bytes that were
   * cut. Throws system errors, after which it may be called again.
   */
  open(): number {
    const { files, directory } = this.#options;
    files.makeDirectory(directory);
    this.#sealed = [];
    let cutBytes = 0;
    for (const name of files.list(directory)) {
      const sealed = SEALED.exec(name);
      if (sealed !== null) this.#sealed.push(this.#segmentOf(name, sealed));
      else if (ACTIVE.test(name)) cutBytes += this.#repair(name);
    }
    this.#sealed.sort((a, b) => a.firstId - b.firstId);
    const last = this.#sealed.at(-1);
    if (last !== undefined) this.#nextId = Math.max(this.#nextId, this.#lastIdIn(last) + 1);
    return cutBytes;
  }

  /** Writes the records after all others; they are on the disk after {@link sync}. Nothing of them stays when it throws. */
  append({ data, firstId, lastId, ...frames }: Frames): void {
    const active = this.#active ?? this.#begin(firstId);
    try {
      active.file.write(data, 0, data.length, active.sizeBytes);
    } catch (error) {
      // What a full disk took of it would be damage in the midst of the file once the next records follow.
      active.file.truncate(active.sizeBytes);
      throw error;
    }
    const minMs = Math.min(active.minMs, frames.minMs);
    const maxMs = Math.max(active.maxMs, frames.maxMs);
    const grown = { ...active, minMs, maxMs, sizeBytes: active.sizeBytes + data.length };
    this.#nextId = lastId + 1;
    if (grown.sizeBytes < this.#options.segmentBytes) this.#active = grown;
    else {
      this.#active = null;
      this.#ending.push(grown);
    }
  }

  /** Whether a file has grown over its size: {@link sync} closes it. */
  get isFull(): boolean {
    return this.#ending.length > 0;
  }

  /** Everything appended before survives a power loss. */
  async sync(): Promise<void> {
    const active = this.#active;
    for (const ending of [...this.#ending]) await this.#seal(ending);
    await active?.file.datasync();
  }

  /** Removes files that hold nothing newer than `olderThanMs`, then the oldest until `maxBytes` are kept. */
  async trim(olderThanMs: number, maxBytes: number): Promise<void> {
    const { files, directory } = this.#options;
    while (true) {
      const [oldest] = this.#sealed;
      if (oldest === undefined) return;
      if (oldest.maxMs >= olderThanMs && this.sizeBytes <= maxBytes) return;
      await files.unlink(`${directory}/${oldest.name}`);
      this.#sealed = this.#sealed.filter((segment) => segment !== oldest);
    }
  }

  /** The whole frames of a segment, oldest first, read in pieces; none when it was removed meanwhile. */
  async framesOf({ firstId }: Segment, slices: Slices): Promise<FrameView[]> {
    // A segment that was sealed since it was listed has another name.
    const segment = this.segments.find((candidate) => candidate.firstId === firstId);
    if (segment === undefined) return [];
    const file = this.#options.files.open(`${this.#options.directory}/${segment.name}`, 'r');
    const data = Buffer.allocUnsafe(segment.sizeBytes);
    let size = 0;
    try {
      while (size < data.length) {
        const read = file.read(data, size, Math.min(READ_BYTES, data.length - size), size);
        if (read === 0) break;
        size += read;
        if (slices.isOver) await slices.pause();
      }
    } finally {
      file.close();
    }
    return framesIn(data.subarray(0, size));
  }

  close(): void {
    for (const { file } of this.#ending) file.close();
    this.#ending = [];
    this.#active?.file.close();
    this.#active = null;
  }

  #begin(firstId: number): OpenSegment {
    const { files, directory } = this.#options;
    const name = `${numbered(firstId)}.log`;
    // Truncated: a file of this name can only be one whose beginning failed.
    const file = files.open(`${directory}/${name}`, 'w');
    try {
      file.write(fileHead(KIND), 0, FILE_HEAD_BYTES, 0);
    } catch (error) {
      file.close();
      throw error;
    }
    const sizeBytes = FILE_HEAD_BYTES;
    this.#active = { firstId, minMs: Infinity, maxMs: -Infinity, sizeBytes, name, file };
    return this.#active;
  }

  async #seal(ending: OpenSegment): Promise<void> {
    const { files, directory } = this.#options;
    const { file, ...segment } = ending;
    await file.datasync();
    const name = sealedName(segment);
    files.rename(`${directory}/${segment.name}`, `${directory}/${name}`);
    this.#sealed.push({ ...segment, name });
    this.#ending = this.#ending.filter((other) => other !== ending);
    file.close();
    await files.datasyncDirectory(directory);
  }

  #segmentOf(name: string, [, firstId, minMs, maxMs]: RegExpExecArray): Segment {
    const { files, directory } = this.#options;
    return {
      firstId: Number(firstId),
      minMs: Number(minMs),
      maxMs: Number(maxMs),
      sizeBytes: files.stat(`${directory}/${name}`).size,
      name,
    };
  }

  /** Cuts a file after its last sound record and seals it; one without any is removed. */
  #repair(name: string): number {
    const { files, directory } = this.#options;
    const path = `${directory}/${name}`;
    const data = Buffer.from(files.readFile(path));
    // It is for the program that wrote it.
    if (isOfAnotherVersion(data, KIND)) return 0;
    const frames = soundFrames(data);
    const [first] = frames;
    const last = frames.at(-1);
    if (first === undefined || last === undefined) {
      files.remove(path);
      return data.length;
    }
    const sizeBytes = last.offset + last.sizeBytes;
    if (sizeBytes < data.length) {
      const file = files.open(path, 'r+');
      try {
        file.truncate(sizeBytes);
        file.sync();
      } finally {
        file.close();
      }
    }
    const times = frames.map(({ timeMs }) => timeMs);
    const segment = {
      firstId: first.firstId,
      minMs: times.reduce((a, b) => Math.min(a, b)),
      maxMs: times.reduce((a, b) => Math.max(a, b)),
      sizeBytes,
    };
    const sealed = { ...segment, name: sealedName(segment) };
    files.rename(path, `${directory}/${sealed.name}`);
    files.syncDirectory(directory);
    this.#sealed.push(sealed);
    return data.length - sizeBytes;
  }

  #lastIdIn({ name, firstId }: Segment): number {
    const { files, directory } = this.#options;
    const data = Buffer.from(files.readFile(`${directory}/${name}`));
    return framesIn(data).at(-1)?.records().at(-1)?.id ?? firstId;
  }
}

/** None in a file of another version. */
function framesIn(data: Buffer): FrameView[] {
  return hasFileHead(data, KIND) ? wholeFrames(data, FILE_HEAD_BYTES) : [];
}

/** Up to the first one that is damaged. */
function soundFrames(data: Buffer): FrameView[] {
  const frames = framesIn(data);
  const damaged = frames.findIndex((frame) => !frame.isSound);
  return damaged < 0 ? frames : frames.slice(0, damaged);
}

function numbered(firstId: number): string {
  return String(firstId).padStart(16, '0');
}

function sealedName({
  firstId,
  minMs,
  maxMs,
}: Pick<Segment, 'firstId' | 'minMs' | 'maxMs'>): string {
  return `${numbered(firstId)}-${minMs}-${maxMs}.log`;
}
