import type { Files } from '@pollux/base';
import type { WalPort, WalSegmentReader } from '@pollux/remote';
import type { Log } from '@pollux/telemetry';
import { type Damage, WalReader, type WalTail, type Zstd } from '@pollux/tsdb';

/** Gives the remote room the log of the database in the form that it declares. */
export function bindWal(tail: WalTail, files: Files, log: Log): WalPort {
  const onDamage = ({ place, offset, endOffset, reason }: Damage): void =>
    log.warn('damage in the log is not sent', {
      file: place,
      offset,
      bytes: endOffset - offset,
      err: reason,
    });
  const means = { files, zstd: tail.zstd, onDamage };
  return {
    directory: tail.walDirectory,
    tail: () => tail.position(),
    openSegment: (path, offset) => openSegment(means, path, offset),
    onAppend: (listener) => tail.subscribe({ onFlush: listener, onCut: listener }),
    beforeDelete: (hook) => tail.subscribe({ beforeDelete: hook }),
  };
}

/** One file read as if it were a whole log of one segment; `limit` moves the watermark. */
function openSegment(
  means: {
    readonly files: Files;
    readonly zstd: Zstd;
    readonly onDamage: (damage: Damage) => void;
  },
  path: string,
  offset: number,
): WalSegmentReader {
  let limit = offset;
  const reader = new WalReader({
    ...means,
    from: { segment: 0, offset },
    pathOf: (segment) => (segment === 0 ? path : null),
    watermark: () => ({ segment: 0, offset: limit }),
  });
  return {
    get offset() {
      return reader.position.offset;
    },
    next: (upTo) => {
      limit = upTo;
      const record = reader.next();
      if (record === null) return null;
      switch (record.kind) {
        case 'series':
          return { kind: 'series', series: record.series };
        case 'samples': {
          const { count, refs, timestampsMs, valueWords } = record.samples;
          return { kind: 'samples', count, refs, timestampsMs, valueWords };
        }
        case 'histograms':
          return { kind: 'histograms', histograms: record.histograms };
        case 'exemplars':
          return {
            kind: 'exemplars',
            exemplars: record.exemplars.map(({ ref, ...exemplar }) => ({ ref, exemplar })),
          };
        default:
          return { kind: 'other' };
      }
    },
    close: () => reader.close(),
  };
}
