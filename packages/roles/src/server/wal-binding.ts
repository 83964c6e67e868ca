import type { Files } from '@pollux/base';
import type { WalPort, WalSegmentReader } from '@pollux/remote';
import { WalReader, type WalTail } from '@pollux/tsdb';

/** Gives the remote room the log of the database in the form that it declares. */
export function bindWal(tail: WalTail, files: Files): WalPort {
  return {
    directory: tail.walDirectory,
    tail: () => tail.position(),
    openSegment: (path, offset) => openSegment(files, path, offset),
    onAppend: (listener) => tail.subscribe({ onFlush: listener, onCut: listener }),
    beforeDelete: (hook) => tail.subscribe({ beforeDelete: hook }),
  };
}

/** One file read as if it were a whole log of one segment; `limit` moves the watermark. */
function openSegment(files: Files, path: string, offset: number): WalSegmentReader {
  let limit = offset;
  const reader = new WalReader({
    files,
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
