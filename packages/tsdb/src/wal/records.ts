import { ByteReader, DecodeError } from '@pollux/base';
import { CorruptionError } from '../errors.ts';
import {
  decodeHistogramRecords,
  type HistogramRecord,
  isHistogramRecord,
} from '../format/wal-histograms.ts';
import {
  decodeExemplars,
  decodeMetadata,
  decodeSamples,
  decodeSamplesWithStart,
  decodeSeries,
  decodeTombstones,
  type ExemplarRecord,
  type MetadataRecord,
  RECORD,
  type SampleColumns,
  type SeriesRecord,
  type TombstoneRecord,
} from '../format/wal-record.ts';

/** A decoded record of the log. */
export type WalRecord =
  | { readonly kind: 'series'; readonly series: readonly SeriesRecord[] }
  /** The columns are lent until the next record is decoded into them. */
  | { readonly kind: 'samples'; readonly samples: SampleColumns }
  | { readonly kind: 'tombstones'; readonly tombstones: readonly TombstoneRecord[] }
  | { readonly kind: 'exemplars'; readonly exemplars: readonly ExemplarRecord[] }
  | { readonly kind: 'metadata'; readonly metadata: readonly MetadataRecord[] }
  /** All of one type of record. */
  | { readonly kind: 'histograms'; readonly histograms: readonly HistogramRecord[] }
  /** A type that this version does not decode (later additions). */
  | { readonly kind: 'other'; readonly type: number };

/** Decodes one record; samples go into `columns`, which is emptied first. Throws CorruptionError naming `place`. */
export function decodeRecord(bytes: Uint8Array, columns: SampleColumns, place: string): WalRecord {
  try {
    const source = new ByteReader(bytes);
    const type = source.u8();
    switch (type) {
      case RECORD.series:
        return { kind: 'series', series: decodeSeries(source) };
      case RECORD.samples:
        columns.count = 0;
        columns.startTimestampsMs = null;
        decodeSamples(source, columns);
        return { kind: 'samples', samples: columns };
      case RECORD.samplesWithStart:
        columns.count = 0;
        decodeSamplesWithStart(source, columns);
        return { kind: 'samples', samples: columns };
      case RECORD.tombstones:
        return { kind: 'tombstones', tombstones: decodeTombstones(source) };
      case RECORD.exemplars:
        return { kind: 'exemplars', exemplars: decodeExemplars(source) };
      case RECORD.metadata:
        return { kind: 'metadata', metadata: decodeMetadata(source) };
      default:
        if (!isHistogramRecord(type)) return { kind: 'other', type };
        return { kind: 'histograms', histograms: decodeHistogramRecords(source, type) };
    }
  } catch (cause) {
    if (cause instanceof DecodeError) {
      throw new CorruptionError(place, 'a record does not decode', { cause });
    }
    throw cause;
  }
}
