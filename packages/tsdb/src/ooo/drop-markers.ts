import type { Clock, Files } from '@pollux/base';
import { RECORD } from '../format/wal-record.ts';
import { Slices } from '../slices.ts';
import { LogFile } from '../wal/log-sources.ts';
import { segmentName } from '../wal/segment.ts';
import { listSegments, type Wal } from '../wal/wal.ts';
import type { Zstd } from '../wal/zstd.ts';

/**
 * Copies the records of a log that was just opened into its new segment, without markers, and removes the others. Markers are
 * Prometheus': they send its next replay to head chunk files that this program gives up. After a crash on the way a sample
 * may stand in the log twice, and counts once. Bytes that give no record are left out.
 */
export async function dropMarkers(
  log: Wal,
  parts: { readonly files: Files; readonly clock: Clock; readonly zstd: Zstd },
): Promise<void> {
  const { files, clock, zstd } = parts;
  const slices = new Slices(clock);
  const current = log.segments().last;
  const old = listSegments(files, log.walDirectory).filter((index) => index < current);
  for (const index of old) {
    const path = `${log.walDirectory}/${segmentName(index)}`;
    const file = new LogFile(files, path, zstd, () => {});
    try {
      const size = files.stat(path).size;
      for (;;) {
        const bytes = file.next(size);
        if (bytes === null) break;
        if (bytes === 'load') await file.loadZstd();
        else if (bytes[0] !== RECORD.mmapMarkers) log.write([bytes]);
        if (slices.isOver) await slices.pause();
      }
    } finally {
      file.close();
    }
  }
  await log.sync();
  log.truncate(current - 1);
}
