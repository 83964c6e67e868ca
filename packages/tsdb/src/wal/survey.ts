import { ByteReader, type Clock, DecodeError, type Files } from '@pollux/base';
import { RECORD } from '../format/wal-record.ts';
import { Slices } from '../slices.ts';
import { LogFile, type LogSource } from './log-sources.ts';
import type { Damage } from './segment-reader.ts';
import type { Zstd } from './zstd.ts';

export type SurveyOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly zstd: Zstd;
  readonly sources: readonly LogSource[];
  readonly signal: AbortSignal;
};

/**
 * Series whose records lie in damaged bytes have references that nothing tells. A series takes at least a byte of a
 * compressed page, however alike its labels are to its neighbours'; the rest is margin.
 */
const LOST_REFS_PER_BYTE = 4;
const LOST_REFS_PER_DAMAGE = 65_536;

export type LogSurvey = {
  /** The highest reference that the log may use. */
  readonly highestRef: number;
  /** Records of series; a series that has several counts for each. */
  readonly seriesCount: number;
};

/**
 * Looks at the series of a log before the replay, so that series which come during it get references above: samples of the
 * log must never meet a series that only came later. Takes a few percent of the replay's time, since other records are
 * neither decompressed nor decoded.
 */
export async function surveySeries(options: SurveyOptions): Promise<LogSurvey> {
  const { files, clock, zstd, sources, signal } = options;
  const slices = new Slices(clock, signal);
  const found: Found = { highestRef: 0, seriesCount: 0 };
  let lost = 0;
  for (const source of sources) {
    const { size } = source;
    const noteDamage = ({ offset, endOffset }: Damage): void => {
      lost += (endOffset - offset) * LOST_REFS_PER_BYTE + LOST_REFS_PER_DAMAGE;
    };
    const file = new LogFile(files, { ...source, only: RECORD.series }, zstd, noteDamage);
    try {
      for (;;) {
        const record = file.next(size);
        if (record === null) break;
        if (record === 'load') await file.loadZstd();
        else if (record[0] === RECORD.series) addSeries(record, found);
        if (slices.isOver) await slices.pause();
      }
    } finally {
      file.close();
    }
  }
  return { highestRef: found.highestRef + lost, seriesCount: found.seriesCount };
}

type Found = { highestRef: number; seriesCount: number };

function addSeries(record: Uint8Array, found: Found): void {
  const source = new ByteReader(record);
  try {
    source.skip(1);
    while (source.remaining > 0) {
      found.highestRef = Math.max(found.highestRef, source.i64());
      const texts = source.uvarint() * 2;
      for (let i = 0; i < texts; i++) source.skip(source.uvarint());
      found.seriesCount++;
    }
  } catch (error) {
    // The replay reports the record and goes on behind it.
    if (!(error instanceof DecodeError)) throw error;
  }
}
