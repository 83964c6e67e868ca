import { ByteReader, crc32c, DecodeError, type File, type Files } from '@pollux/base';
import {
  CHUNKS_HEADER_BYTES,
  CHUNKS_MAGIC,
  CHUNKS_VERSION,
  chunkFileName,
  fileOfRef,
  offsetOfRef,
} from '../format/chunk-file.ts';
import type { ChunkMeta } from '../format/index-write.ts';
import { type ChunkContent, SAMPLE_CONTENT, type SoundChunk } from './chunk-content.ts';
import type { Findings } from './finding.ts';
import { Fingerprint } from './fingerprint.ts';
import { WindowReader } from './window-reader.ts';

const MAX_CHUNK_BYTES = 64 * 1024 * 1024;
/** Damaged chunks whose places are remembered, so that each is told once. */
const MAX_BAD_CHUNKS = 10_000;

type ChunkFile = { readonly path: string; readonly file: File; readonly reader: WindowReader };

/** The chunk files of a block under examination. Open until {@link close}. */
export class ChunkChecker {
  readonly #findings: Findings;
  readonly #content: ChunkContent;
  readonly #files: ChunkFile[] = [];
  readonly #directory: string;
  readonly #bad = new Set<number>();
  /** Places of the chunks in the files, and of those that series name. */
  readonly #present = new Fingerprint();
  readonly #named = new Fingerprint();
  #isWalkBroken = false;
  chunks = 0;
  samples = 0;
  floatSamples = 0;

  constructor(
    files: Files,
    directory: string,
    findings: Findings,
    content: ChunkContent = SAMPLE_CONTENT,
  ) {
    this.#findings = findings;
    this.#content = content;
    this.#directory = `${directory}/chunks`;
    const names = files.exists(this.#directory)
      ? files.list(this.#directory).filter((name) => /^\d{6}$/.test(name))
      : [];
    for (const [index, name] of names.entries()) {
      if (name !== chunkFileName(index)) {
        findings.add(this.#directory, null, `chunk file ${chunkFileName(index)} is missing`);
        break;
      }
      const path = `${this.#directory}/${name}`;
      const file = files.open(path, 'r');
      this.#files.push({ path, file, reader: new WindowReader(file) });
    }
  }

  close(): void {
    for (const { file } of this.#files) file.close();
  }

  /** Walks every file from chunk to chunk. Before {@link series} is called. */
  async walk(breathe: () => Promise<void>): Promise<void> {
    for (const [index, { path, reader }] of this.#files.entries()) {
      try {
        checkHeader(reader, path, this.#findings);
        let faultsInARow = 0;
        while (reader.remaining > 0) {
          const at = reader.offset;
          if (this.#walkOne(reader, index * 2 ** 32 + at)) faultsInARow = 0;
          else {
            this.#findings.add(path, at, 'wrong checksum of a chunk');
            // A damaged length leads astray; the chunks behind are still found by the series that name them.
            if (++faultsInARow > 1) throw new DecodeError('chunks cannot be told apart', at);
          }
          await breathe();
        }
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#isWalkBroken = true;
        this.#findings.add(path, error.offset, `the chunks do not decode: ${error.message}`);
      }
    }
  }

  /** Reads a chunk that a series names and checks it against what the series says of it. */
  check(chunk: ChunkMeta, place: string): void {
    this.#named.add(fileOfRef(chunk.ref), offsetOfRef(chunk.ref));
    this.chunks++;
    const sound = this.read(chunk.ref);
    if (sound === null) {
      if (!this.#bad.has(chunk.ref))
        this.#tell(chunk, `${place} names a chunk that is damaged or not there`);
      return;
    }
    const found = this.#content.examine(chunk, sound);
    if (typeof found === 'string') {
      this.#tell(chunk, found);
      return;
    }
    this.samples += found.samples;
    this.floatSamples += found.floats;
  }

  /** The chunk at the reference, or null when there is none or it is damaged. */
  read(ref: number): SoundChunk | null {
    const file = this.#files[fileOfRef(ref)];
    if (file === undefined) return null;
    try {
      const { reader } = file;
      reader.offset = offsetOfRef(ref);
      if (reader.offset < CHUNKS_HEADER_BYTES) return null;
      return readChunk(reader);
    } catch (error) {
      if (error instanceof DecodeError) return null;
      throw error;
    }
  }

  /** After all series: finds chunks that none names, or that two name. */
  finish(): void {
    if (this.#isWalkBroken || this.#present.equals(this.#named)) return;
    this.#findings.add(
      this.#directory,
      null,
      `holds ${this.#present.count} chunks, series name ${this.#named.count}: some belong to no series or to several`,
    );
  }

  #walkOne(reader: WindowReader, ref: number): boolean {
    const isSound = readChunk(reader) !== null;
    if (!isSound && this.#bad.size < MAX_BAD_CHUNKS) this.#bad.add(ref);
    this.#present.add(fileOfRef(ref), offsetOfRef(ref));
    return isSound;
  }

  #tell(chunk: ChunkMeta, text: string): void {
    const file = this.#files[fileOfRef(chunk.ref)]?.path ?? this.#directory;
    this.#findings.add(file, offsetOfRef(chunk.ref), text);
  }
}

function checkHeader(reader: WindowReader, path: string, findings: Findings): void {
  reader.offset = 0;
  if (reader.u32() !== CHUNKS_MAGIC) findings.add(path, 0, 'is no chunk file');
  const version = reader.u8();
  if (version !== CHUNKS_VERSION)
    findings.add(path, 4, `chunk file version ${version} is not known`);
  const padding = reader.zeros(CHUNKS_HEADER_BYTES - reader.offset);
  if (padding >= 0) findings.add(path, padding, 'padding is not zero');
}

/** The chunk where the reader stands, null when its checksum is wrong; moves behind it. Throws DecodeError. */
function readChunk(reader: WindowReader): SoundChunk | null {
  const start = reader.offset;
  const length = reader.uvarint();
  if (length > MAX_CHUNK_BYTES) throw new DecodeError('a chunk is too long', start);
  const entry = reader.bytes(length + 5);
  if (crc32c(entry, 0, length + 1) !== new ByteReader(entry, length + 1).u32()) return null;
  return { encoding: entry[0]!, bytes: entry.subarray(1, length + 1) };
}
