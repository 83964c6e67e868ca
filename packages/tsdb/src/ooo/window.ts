import { errorText } from '@pollux/base';
import { DirectoryError } from '../errors.ts';
import type { Head } from '../head/head.ts';
import type { Slot } from '../head/series-table.ts';
import type { TsdbInit } from '../init.ts';
import type { TsdbMetrics } from '../metrics.ts';
import type { TsdbOptions } from '../options.ts';
import { segmentName } from '../wal/segment.ts';
import type { WalCompression } from '../wal/segment-writer.ts';
import { listSegments, Wal } from '../wal/wal.ts';
import type { Zstd } from '../wal/zstd.ts';
import { dropMarkers } from './drop-markers.ts';
import { replayOooLog } from './replay-log.ts';

/** Prometheus' name for the directory of the log, below the data directory. */
export const OOO_LOG_DIRECTORY = 'wbl';

export type OooWindowOptions = {
  readonly init: TsdbInit;
  readonly options: TsdbOptions;
  readonly metrics: TsdbMetrics;
  readonly head: Head;
  readonly compression: WalCompression;
  readonly zstd: Zstd;
};

/** Opens and closes the out-of-order window of a head, and owns its log. */
export class OooWindow {
  readonly #options: OooWindowOptions;
  readonly #directory: string;

  constructor(options: OooWindowOptions) {
    this.#options = options;
    this.#directory = `${options.init.directory}/${OOO_LOG_DIRECTORY}`;
  }

  /**
   * Brings back what the log holds, also when the window is shut now: it is answered and goes to blocks. The window itself
   * stays shut until {@link prepare}.
   */
  async restore(slotOf: (ref: number) => Slot): Promise<void> {
    const { init, metrics, head, zstd } = this.#options;
    const { files, clock } = init.env;
    const replay = { files, clock, log: init.log, metrics, head, zstd, slotOf };
    const hasMarkers = await replayOooLog({ ...replay, directory: this.#directory });
    head.options.chunkFiles.forgetFound();
    if (this.storedBytes() > 0) head.outOfOrder.log = this.#openLog();
    const { log } = head.outOfOrder;
    if (hasMarkers && log !== null) await dropMarkers(log, { files, clock, zstd });
  }

  /**
   * The first half of a change of the window: everything that can fail. The returned function makes it hold for batches
   * that begin later. Shutting it (0) leaves what is there in place. Throws DirectoryError.
   */
  prepare(windowMs: number): () => void {
    const { outOfOrder } = this.#options.head;
    if (windowMs > 0 && outOfOrder.log === null) outOfOrder.log = this.#openLog();
    return () => {
      outOfOrder.windowMs = Math.max(0, windowMs);
    };
  }

  async sync(): Promise<void> {
    await this.#options.head.outOfOrder.log?.sync();
  }

  async close(): Promise<void> {
    await this.#options.head.outOfOrder.log?.close();
  }

  #openLog(): Wal {
    const { init, options, metrics, compression, zstd } = this.#options;
    const { files, clock } = init.env;
    const directory = this.#directory;
    try {
      files.makeDirectory(directory);
      return new Wal({
        files,
        clock,
        directory,
        segmentBytes: options.walSegmentBytes,
        compression,
        zstd,
        metrics: { ...metrics, ...metrics.wbl },
        onListenerError: (error) =>
          init.log.error('log follower failed', { err: errorText(error) }),
      });
    } catch (cause) {
      throw new DirectoryError(
        directory,
        'the out-of-order log cannot be written; check owner, rights and free space',
        { cause },
      );
    }
  }

  /** Of the log on the disk. */
  storedBytes(): number {
    const { files } = this.#options.init.env;
    if (!files.exists(this.#directory)) return 0;
    return listSegments(files, this.#directory).reduce(
      (sum, index) => sum + files.stat(`${this.#directory}/${segmentName(index)}`).size,
      0,
    );
  }
}
