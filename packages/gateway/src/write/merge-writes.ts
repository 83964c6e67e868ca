import { OperatingError } from '@pollux/base';
import { snappyDecode, snappyEncode } from '@pollux/remote';
import type { SpooledWrite } from './spool-record.ts';

/** Headers that decide how a member takes a write; others only tell where it came from. */
const DECISIVE = ['authorization', 'cookie', 'content-type', 'content-encoding'] as const;
/** Of what several writes hold together. */
const MAX_DECODED_BYTES = 8 * 1024 * 1024;

/** True when the second may go in one request with the first, behind it. */
export function canFollow(first: SpooledWrite, second: SpooledWrite): boolean {
  if (first.kind !== second.kind || first.target !== second.target) return false;
  if (DECISIVE.some((name) => first.headers[name] !== second.headers[name])) return false;
  if (first.kind === 'lines') return first.headers['content-encoding'] === undefined;
  // Requests 2.0 number their texts, each its own.
  const type = first.headers['content-type'] ?? '';
  return first.kind === 'remote-write' && !type.includes('io.prometheus.write.v2.');
}

/**
 * One write that is all of these in their order: lines below one another; or messages of remote write 1.0, which are
 * lists and so may simply be put one behind the other. Null when one of them cannot be read.
 */
export async function mergedWrite(writes: readonly SpooledWrite[]): Promise<SpooledWrite | null> {
  const [first] = writes;
  if (first === undefined) return null;
  if (first.kind === 'lines') {
    const newline = Buffer.from('\n');
    return { ...first, body: Buffer.concat(writes.flatMap(({ body }) => [body, newline])) };
  }
  try {
    const decoded: Uint8Array[] = [];
    let leftBytes = MAX_DECODED_BYTES;
    for (const { body } of writes) {
      const message = await snappyDecode(body, leftBytes);
      leftBytes -= message.length;
      decoded.push(message);
    }
    return { ...first, body: snappyEncode(Buffer.concat(decoded)) };
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    // The member finds the one that is bad, or they are too much together: each goes alone.
    return null;
  }
}
