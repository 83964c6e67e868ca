import { DecodeError, errorText, LimitError } from '@pollux/base';
import { compressSync, uncompress, uncompressSync } from 'snappy';

/** Largest decoded message, as Prometheus has it. */
export const MAX_DECODED_BYTES = 32 * 1024 * 1024;
/** Above this the work leaves the thread that also scrapes. */
const OFFLOAD_BYTES = 256 * 1024;

export function snappyEncode(data: Uint8Array): Uint8Array {
  return compressSync(data);
}

/**
 * Decodes a snappy block. The length it announces is checked before a byte is allocated: over `maxBytes` is a LimitError,
 * anything malformed or cut short a DecodeError.
 */
export async function snappyDecode(
  data: Uint8Array,
  maxBytes = MAX_DECODED_BYTES,
): Promise<Uint8Array> {
  const announced = announcedBytes(data);
  if (announced > maxBytes) {
    throw new LimitError(
      'REMOTE.DECODED_TOO_LARGE',
      'decoded body',
      `snappy: decoded block is too large: ${announced} bytes, the limit is ${maxBytes}`,
    );
  }
  // An empty block decodes to nothing; the library refuses it.
  if (announced === 0) {
    if (data.length === 1) return new Uint8Array(0);
    throw new DecodeError('snappy: corrupt input: bytes after the end', 1);
  }
  try {
    const decoded =
      announced > OFFLOAD_BYTES
        ? await uncompress(data, { asBuffer: true })
        : uncompressSync(data, { asBuffer: true });
    return decoded as Uint8Array;
  } catch (error) {
    throw new DecodeError(`snappy: corrupt input (${errorText(error)})`, 0);
  }
}

/** What the block says it decodes to: the uvarint32 in front of it. Throws DecodeError. */
export function announcedBytes(data: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = data[i];
    if (byte === undefined) throw new DecodeError('snappy: corrupt input: no length', i);
    value += (byte & 0x7f) * 128 ** i;
    if (byte < 0x80) {
      if (value >= 2 ** 32) break;
      return value;
    }
  }
  throw new DecodeError('snappy: corrupt input: length out of range', 0);
}
