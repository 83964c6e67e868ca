import { OperatingError } from '@pollux/base';
import { NotSupportedError } from '../errors.ts';

/** Decoded records are no larger than this unless their frame says so. */
const UNKNOWN_SIZE_BYTES = 1024 * 1024;
/** Prometheus uses its library's default; the fastest level comes within a few percent of it on records. */
const LEVEL = 1;
const MAGIC = 0xfd2fb528;

type Library = {
  readonly init: () => Promise<void>;
  readonly compress: (bytes: Uint8Array, level: number) => Uint8Array;
  readonly decompress: (bytes: Uint8Array, options: { defaultHeapSize: number }) => Uint8Array;
};

/** A record needs zstd, which is not loaded: load it and ask again. */
export class ZstdNotLoaded extends OperatingError {
  constructor() {
    super('TSDB.ZSTD_NOT_LOADED', 'a record is compressed with zstd, which is not loaded');
  }
}

/**
 * Zstandard for records of the log, in WebAssembly since Node 20 has none. Loading takes some 7 MB of memory, so it waits
 * for the first record or the setting that needs it; the loading is asynchronous, the use is not.
 */
export class Zstd {
  #library: Library | null = null;
  #loading: Promise<void> | null = null;

  get isLoaded(): boolean {
    return this.#library !== null;
  }

  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<void> {
    let library: Library;
    try {
      library = await import('@bokuweb/zstd-wasm');
    } catch (cause) {
      throw new NotSupportedError(
        'zstd without the package @bokuweb/zstd-wasm (npm install brings it)',
        {
          cause,
        },
      );
    }
    await library.init();
    this.#library = library;
  }

  /** One frame. Throws {@link ZstdNotLoaded}. */
  encode(bytes: Uint8Array): Uint8Array {
    return this.#use().compress(bytes, LEVEL);
  }

  /** The content of a frame, or null when it is malformed or larger than `maxBytes`. Throws {@link ZstdNotLoaded}. */
  decode(frame: Uint8Array, maxBytes: number): Uint8Array | null {
    const library = this.#use();
    const size = contentSize(frame);
    if (size === null || size > maxBytes) return null;
    let room = size < 0 ? Math.min(UNKNOWN_SIZE_BYTES, maxBytes) : size;
    for (;;) {
      try {
        // The library allocates the size that the frame names, which was checked above, or else the given one.
        return library.decompress(frame, { defaultHeapSize: room });
      } catch {
        if (size >= 0 || room >= maxBytes) return null;
        room = Math.min(maxBytes, room * 8);
      }
    }
  }

  #use(): Library {
    if (this.#library === null) throw new ZstdNotLoaded();
    return this.#library;
  }
}

/** The size that a frame's header names: −1 when it names none, null when it is no frame. Source: RFC 8878, 3.1.1.1. */
function contentSize(frame: Uint8Array): number | null {
  if (frame.length < 6) return null;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return null;
  const descriptor = frame[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  const kind = descriptor >>> 6;
  if (kind === 0 && !isSingleSegment) return -1;
  const width = 1 << kind;
  if (at + width > frame.length) return null;
  if (width === 1) return frame[at]!;
  if (width === 2) return view.getUint16(at, true) + 256;
  if (width === 4) return view.getUint32(at, true);
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}
