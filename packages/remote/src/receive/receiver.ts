import type { Random } from '@pollux/base';
import {
  createWriteKernel,
  WRITE_COMPRESSED_BYTES,
  WRITE_DECODED_BYTES,
  type WriteKernel,
} from '@pollux/kernels';
import type { Appendable } from '@pollux/storage';
import { announcedBytes, snappyDecode } from '../codec/snappy.ts';
import { WriteRequestDecoder } from '../codec/v1/decode-write.ts';
import { SeriesCache } from './series-cache.ts';
import { type SeriesLookup, type Stored, storeRequest } from './write-request.ts';

/**
 * Takes the bodies of write requests for one storage. Those of a usual size are decoded by the kernel, where there is one,
 * on memory that is used again for each; larger ones are opened off the thread.
 */
export class Receiver {
  readonly #appendable: Appendable;
  readonly #kernel: WriteKernel | null;
  readonly #series: SeriesLookup;
  readonly #walking: WriteRequestDecoder;

  constructor(appendable: Appendable, random: Random, kernel = createKernel(random)) {
    this.#appendable = appendable;
    this.#kernel = kernel;
    this.#series = kernel ?? new SeriesCache(Uint32Array.of(word(random), word(random)));
    this.#walking = new WriteRequestDecoder(kernel);
  }

  /**
   * Resolves when the request is stored. Throws DecodeError for a body that is none, LimitError `REMOTE.DECODED_TOO_LARGE`,
   * SamplesRefusedError, and what the storage throws.
   */
  async receive(body: Uint8Array): Promise<Stored> {
    const kernel = this.#kernel;
    if (hasRoom(kernel, body)) {
      const length = kernel.decompress(body);
      // The library says what is wrong with a block.
      if (length >= 0) {
        // The columns are lent by the kernel and the decoder: nothing may wait before the request is staged.
        const request = this.#walking.decode(kernel.decoded.subarray(0, length));
        return await storeRequest(request, this.#appendable, this.#series);
      }
    }
    const request = new WriteRequestDecoder().decode(await snappyDecode(body));
    return await storeRequest(request, this.#appendable, this.#series);
  }
}

/** Whether there is a kernel, with room for the body. Throws DecodeError for a body without a length. */
export function hasRoom(kernel: WriteKernel | null, body: Uint8Array): kernel is WriteKernel {
  return (
    kernel !== null &&
    body.length <= WRITE_COMPRESSED_BYTES &&
    announcedBytes(body) <= WRITE_DECODED_BYTES
  );
}

/** Null where there is no kernel. */
export function createKernel(random: Random): WriteKernel | null {
  return createWriteKernel({
    seed: [word(random), word(random), word(random), word(random)],
  });
}

function word(random: Random): number {
  return random.below(2 ** 32);
}
