import { ByteReader, crc32c, DecodeError } from '@pollux/base';
import { CorruptionError } from '../errors.ts';
import { INDEX_MAGIC, INDEX_VERSION } from '../format/index-write.ts';
import type { WindowReader } from './window-reader.ts';

/** Bytes of magic number and version. */
export const INDEX_HEADER_BYTES = 5;
const TOC_BYTES = 52;

/** Where the parts of an index file lie; each ends where the next begins, but for padding. */
export type IndexLayout = {
  readonly symbolsAt: number;
  readonly seriesAt: number;
  /** Written by Prometheus before 2.50; empty (equal to the part behind) since. */
  readonly labelIndicesAt: number;
  readonly postingsAt: number;
  /** As the label indices. */
  readonly labelTableAt: number;
  readonly postingsTableAt: number;
  readonly tocAt: number;
};

/** Reads the table of contents. Throws CorruptionError when it is damaged or contradicts itself. */
export function readIndexLayout(reader: WindowReader, path: string): IndexLayout {
  const tocAt = reader.size - TOC_BYTES;
  if (tocAt < INDEX_HEADER_BYTES) throw new CorruptionError(`${path} at 0`, 'is too short');
  reader.offset = 0;
  if (reader.u32() !== INDEX_MAGIC) throw new CorruptionError(`${path} at 0`, 'is no index file');
  const version = reader.u8();
  if (version !== INDEX_VERSION)
    throw new CorruptionError(`${path} at 4`, `index version ${version} is not known`);
  reader.offset = tocAt;
  const bytes = reader.bytes(TOC_BYTES);
  const source = new ByteReader(bytes);
  const place = `${path} at ${tocAt}`;
  try {
    const offsets = [0, 1, 2, 3, 4, 5].map(() => source.i64());
    if (crc32c(bytes, 0, TOC_BYTES - 4) !== source.u32())
      throw new CorruptionError(place, 'wrong checksum of the table of contents');
    const [symbolsAt = 0, seriesAt = 0, indices = 0, labelTable = 0, postingsAt = 0, table = 0] =
      offsets;
    const layout = {
      symbolsAt,
      seriesAt,
      labelIndicesAt: indices > seriesAt && indices < postingsAt ? indices : postingsAt,
      postingsAt,
      labelTableAt: labelTable > postingsAt && labelTable < table ? labelTable : table,
      postingsTableAt: table,
      tocAt,
    };
    const order = [INDEX_HEADER_BYTES, symbolsAt, seriesAt, postingsAt, table, tocAt];
    if (symbolsAt !== INDEX_HEADER_BYTES || order.some((at, i) => i > 0 && at < order[i - 1]!))
      throw new CorruptionError(place, 'the table of contents names impossible offsets');
    return layout;
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new CorruptionError(place, 'the table of contents names impossible offsets', { cause });
  }
}
