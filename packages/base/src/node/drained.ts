import type { Writable } from 'node:stream';

/** Waits until a client has taken what was written; one that takes nothing for `stallMs` is cut off, with null never. */
export function drained(outgoing: Writable, stallMs: number | null): Promise<void> {
  if (outgoing.destroyed || !outgoing.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve) => {
    const cut = stallMs === null ? undefined : setTimeout(() => outgoing.destroy(), stallMs);
    const done = (): void => {
      clearTimeout(cut);
      outgoing.off('drain', done);
      outgoing.off('close', done);
      resolve();
    };
    outgoing.once('drain', done);
    outgoing.once('close', done);
  });
}
