import { ByteReader, DecodeError } from '@pollux/base';
import { decodeHistogramRecords, isHistogramRecord } from '../format/wal-histograms.ts';
import { RECORD } from '../format/wal-record.ts';
import { readStart } from '../format/wal-start-time.ts';
import { Slices } from '../slices.ts';
import { LogFile } from './log-sources.ts';
import type { SurveyOptions } from './survey.ts';

/**
 * Time of the newest sample of the log, −Infinity without one: what is newer is newer than all that any series has there.
 * Of samples only the times are decoded.
 */
export async function logNewestMs(options: SurveyOptions): Promise<number> {
  const { files, clock, zstd, sources, signal } = options;
  const slices = new Slices(clock, signal);
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const source of sources) {
    // The replay tells of damage.
    const file = new LogFile(files, source, zstd, () => {});
    try {
      for (;;) {
        const record = file.next(source.size);
        if (record === null) break;
        if (record === 'load') await file.loadZstd();
        else newestMs = Math.max(newestMs, newestTimeOf(record));
        if (slices.isOver) await slices.pause();
      }
    } finally {
      file.close();
    }
  }
  return newestMs;
}

/** Type u8, first reference i64, first time i64. */
const SAMPLES_HEADER_BYTES = 17;
const VALUE_BYTES = 8;

/**
 * Time of the newest sample in a log record, −Infinity for a record without samples, and for one that does not decode: the
 * replay leaves it out.
 */
export function newestTimeOf(record: Uint8Array): number {
  const type = record[0]!;
  if (type === RECORD.samples) return newestOfSamples(record);
  try {
    const source = new ByteReader(record);
    source.skip(1);
    if (type === RECORD.samplesWithStart) return newestOfSamplesWithStart(source);
    if (!isHistogramRecord(type)) return Number.NEGATIVE_INFINITY;
    return decodeHistogramRecords(source, type).reduce(
      (newest, { timestampMs }) => Math.max(newest, timestampMs),
      Number.NEGATIVE_INFINITY,
    );
  } catch (error) {
    if (error instanceof DecodeError) return Number.NEGATIVE_INFINITY;
    throw error;
  }
}

/** Nearly all that a log holds, and of one time in each record: only the bytes of the times are looked at. */
function newestOfSamples(record: Uint8Array): number {
  const { length } = record;
  if (length <= SAMPLES_HEADER_BYTES) return Number.NEGATIVE_INFINITY;
  const view = new DataView(record.buffer, record.byteOffset, length);
  const firstMs = Number(view.getBigInt64(9));
  let newestDelta = Number.NEGATIVE_INFINITY;
  let at = SAMPLES_HEADER_BYTES;
  while (at < length) {
    while (record[at]! >= 0x80) at++;
    at++;
    let zigzag = 0;
    let scale = 1;
    while (record[at]! >= 0x80) {
      zigzag += (record[at++]! - 0x80) * scale;
      scale *= 128;
    }
    zigzag += record[at++]! * scale;
    at += VALUE_BYTES;
    const delta = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    if (at <= length && delta > newestDelta) newestDelta = delta;
  }
  return firstMs + newestDelta;
}

function newestOfSamplesWithStart(source: ByteReader): number {
  let newestMs = Number.NEGATIVE_INFINITY;
  let firstMs = 0;
  for (let i = 0; source.remaining > 0; i++) {
    source.varint();
    const timestampMs = firstMs + source.varint();
    if (i === 0) {
      firstMs = timestampMs;
      source.varint();
    } else readStart(source, 0, 0);
    source.skip(VALUE_BYTES);
    newestMs = Math.max(newestMs, timestampMs);
  }
  return newestMs;
}
