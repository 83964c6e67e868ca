import type { Clock, Files } from '@pollux/base';
import { NumberMap } from '@pollux/index';
import type { Log } from '@pollux/telemetry';
import { CHUNK_ENCODING } from '../format/chunk-file.ts';
import type { HeadChunkMeta } from '../head-chunks/entry.ts';
import { FoundEntries } from '../head-chunks/found-entries.ts';
import type { HeadChunkFiles } from '../head-chunks/head-chunk-files.ts';
import type { HeadChunkPlace } from '../head-chunks/place.ts';
import { dropDamage, scanHeadChunks } from '../head-chunks/scan.ts';
import type { TsdbMetrics } from '../metrics.ts';
import { Slices } from '../slices.ts';
import type { Head } from './head.ts';
import type { Slot } from './series-table.ts';

export type HeadChunkSource = {
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TsdbMetrics;
  /** Made when it is not there. */
  readonly directory: string;
};

/** What is on the disk cannot be the head chunks of one database. */
class UnusableChunks extends Error {}

/** What the log has records for, so that it can stand in for the chunk. */
const ENCODINGS: ReadonlySet<number> = new Set([
  CHUNK_ENCODING.xor,
  CHUNK_ENCODING.histogram,
  CHUNK_ENCODING.floatHistogram,
  CHUNK_ENCODING.xor2,
  CHUNK_ENCODING.histogramWithStart,
  CHUNK_ENCODING.floatHistogramWithStart,
]);

/**
 * Reads the head chunk files and hands them to their writer. What is damaged is dropped: the log has the samples.
 */
export async function openHeadChunks(
  source: HeadChunkSource,
  head: Head,
  chunkFiles: HeadChunkFiles,
): Promise<FoundChunks> {
  const { files, clock, log, metrics, directory } = source;
  files.makeDirectory(directory);
  const found = new FoundChunks(head);
  const slices = new Slices(clock);
  const late = new FoundEntries();
  const onChunk = (entry: HeadChunkMeta, place: HeadChunkPlace, checksum: number): void => {
    found.add(entry, place);
    if (entry.isOutOfOrder) late.add(checksum, place);
  };
  try {
    const result = await scanHeadChunks({ files, directory, slices, onChunk });
    if (result.damage !== null) {
      metrics.headChunkCorruptions.inc();
      const err = result.damage.message;
      log.warn('head chunks end in damage; the log has the samples from there on', { err });
      dropDamage(files, directory, result);
    }
    chunkFiles.restore(result.files, late);
    found.end = result.end;
  } catch (error) {
    if (!(error instanceof UnusableChunks)) throw error;
    metrics.headChunkCorruptions.inc();
    const err = error.message;
    log.error('head chunks cannot be used and are removed; the log has their samples', { err });
    found.dropRest();
    files.removeTree(directory);
    files.makeDirectory(directory);
  }
  return found;
}

/** Chunks that were found on the disk, until the record of their series comes by. */
export class FoundChunks {
  readonly #head: Head;
  readonly #newest = new NumberMap();
  /** Behind the last of them; file 0 when there are none. */
  end: HeadChunkPlace = { file: 0, offset: 0 };
  /** Time of the newest sample that any of them ever had; −Infinity when there are none. */
  newestMs = Number.NEGATIVE_INFINITY;

  constructor(head: Head) {
    this.#head = head;
  }

  /**
   * To be called in the order of the files. Leaves out what blocks have, what this head has no room for, and out-of-order
   * chunks, which their log makes anew. Throws UnusableChunks.
   */
  add(meta: HeadChunkMeta, place: HeadChunkPlace): void {
    const { series, minMs, maxMs, encoding, isOutOfOrder } = meta;
    const { sealed, table, minValidMs } = this.#head;
    if (series >= 2 ** 32) return;
    // The log may have lost the series' record: its chunks must never become another's.
    table.reserveRef(series);
    if (maxMs < minValidMs || isOutOfOrder) return;
    if (!ENCODINGS.has(encoding)) throw new UnusableChunks(`chunk of encoding ${encoding}`);
    const older = this.#newest.get(series);
    if (older !== 0 && minMs <= sealed.maxMsOf(older)) {
      throw new UnusableChunks(`chunks of reference ${series} overlap`);
    }
    this.newestMs = Math.max(this.newestMs, maxMs);
    this.#newest.set(series, sealed.restore({ older, minMs, maxMs }, place));
  }

  /** A record says that `ref` means the series in `slot`: gives it the chunks. */
  claim(ref: number, slot: Slot): void {
    const newest = this.#newest.get(ref);
    if (newest === 0) return;
    this.#newest.delete(ref);
    this.#head.attach(slot, newest);
  }

  /** Gives up the chunks of which no series was found. Returns how many references they have. */
  dropRest(): number {
    let refs = 0;
    for (const newest of this.#newest.values()) {
      this.#head.sealed.dropAll(newest);
      refs++;
    }
    this.#newest.clear();
    return refs;
  }
}
