import { errorText, type Files, OperatingError } from '@pollux/base';
import type { Annotation, TimeRange } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { BlockUnavailableError } from '../errors.ts';
import { decodeMeta, isFromOutOfOrder } from '../format/meta.ts';
import type { TsdbMetrics } from '../metrics.ts';
import { inAnswerOrder } from './answer-order.ts';
import { Block } from './block.ts';
import type { FileCache } from './file-cache.ts';

export type BlockSetOptions = {
  readonly files: Files;
  readonly directory: string;
  readonly cache: FileCache;
  readonly metrics: TsdbMetrics;
  readonly log: Log;
};

export const TMP_FOR_CREATION = '.tmp-for-creation';
export const TMP_FOR_DELETION = '.tmp-for-deletion';

/** What an interrupted `replaceFile` leaves. */
const TEMPORARY_FILE = /\.tmp-/;
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

/** A block that cannot be opened. Its time is null where not even that can be read. */
type BrokenBlock = {
  readonly name: string;
  readonly reason: string;
  readonly time: { readonly minTime: number; readonly maxTime: number } | null;
};

/**
 * The blocks of a data directory, in the order in which they answer. A block that cannot be opened is quarantined: it stays where it is, is
 * neither read nor compacted nor deleted, answers of its time name it, and each {@link reload} tries it again.
 */
export class BlockSet {
  readonly #options: BlockSetOptions;
  #blocks: readonly Block[] = [];
  #broken: readonly BrokenBlock[] = [];
  /** Blocks in which damage was found while they were read; each is logged once. */
  readonly #damaged = new Set<string>();
  /** Directories of deleted blocks whose files are not removed yet. */
  readonly #doomed = new Set<string>();
  /** A block may have got its name without being shown. */
  #isStale = false;

  constructor(options: BlockSetOptions) {
    this.#options = options;
  }

  get blocks(): readonly Block[] {
    return this.#blocks;
  }

  get sizeBytes(): number {
    return this.#blocks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** End (exclusive) of the newest block, −Infinity without blocks. */
  get maxTime(): number {
    return this.#blocks.reduce((max, { meta }) => Math.max(max, meta.maxTime), -Infinity);
  }

  /**
   * End (exclusive) of the newest block that has samples which came in order, −Infinity without: the head begins there.
   * Blocks of out-of-order samples alone may lie in the time of the head.
   */
  get inOrderMaxTime(): number {
    return this.#blocks.reduce(
      (max, { meta }) => (isFromOutOfOrder(meta) ? max : Math.max(max, meta.maxTime)),
      -Infinity,
    );
  }

  /** Blocks that cannot be opened, and open ones in which damage was found. */
  get damagedCount(): number {
    return this.#broken.length + this.#damaged.size;
  }

  /** Times of the damaged blocks, end exclusive; null for one whose time cannot be read. */
  damagedTimes(): ({ readonly minTime: number; readonly maxTime: number } | null)[] {
    const damaged = this.#blocks.filter(({ ulid }) => this.#damaged.has(ulid));
    return [...this.#broken.map(({ time }) => time), ...damaged.map(({ meta }) => meta)];
  }

  /** Names the quarantined blocks that may have had samples of the range. */
  warningsIn(range: TimeRange): Annotation[] {
    return this.#brokenIn(range).map(({ name, reason }) => ({
      kind: 'warning',
      text: `block ${name} cannot be opened and its samples are missing: ${reason}`,
    }));
  }

  /** To be told of each part of a block that could not be read. */
  noteDamage(block: Block, error: unknown): void {
    const { metrics, log } = this.#options;
    metrics.blockCorruptions.inc();
    if (this.#damaged.has(block.ulid)) return;
    this.#damaged.add(block.ulid);
    log.error('a block is damaged; what can be read of it is served', {
      block: block.ulid,
      err: errorText(error),
    });
  }

  /** To be called when a block may be in the directory that is not shown, since its making failed at the end. */
  noteStale(): void {
    this.#isStale = true;
  }

  get isStale(): boolean {
    return this.#isStale;
  }

  /**
   * The blocks of the range for a deletion. Throws BlockUnavailableError when one cannot be opened: what it holds would be
   * back as soon as it can.
   */
  forDeletion(range: TimeRange): readonly Block[] {
    if (this.#isStale || this.#broken.length > 0) this.reload();
    const broken = this.#brokenIn(range)[0];
    if (broken !== undefined) throw new BlockUnavailableError(broken.name, broken.reason);
    return this.#blocks.filter((block) => block.overlaps(range));
  }

  /** Removes what an interrupted creation or deletion has left. Only at start. */
  removeLeftovers(): void {
    const { files, directory, log } = this.#options;
    for (const name of files.list(directory)) {
      const path = `${directory}/${name}`;
      if (name.endsWith(TMP_FOR_CREATION) || name.endsWith(TMP_FOR_DELETION)) {
        log.warn('removing an unfinished block', { directory: name });
        files.removeTree(path);
      } else if (ULID.test(name)) {
        for (const file of files.list(path).filter((entry) => TEMPORARY_FILE.test(entry))) {
          files.remove(`${path}/${file}`);
        }
      }
    }
  }

  /**
   * Opens blocks that have appeared and lets go of those that have vanished. A block that cannot be opened is left out,
   * logged once and counted; the others are used.
   */
  reload(): void {
    const { files, directory, cache, metrics, log } = this.#options;
    metrics.reloads.inc();
    this.#removeDoomed();
    const names = files.list(directory).filter((name) => ULID.test(name));
    const known = new Map(this.#blocks.map((block) => [block.directory, block]));
    const blocks: Block[] = [];
    const broken: BrokenBlock[] = [];
    for (const name of names) {
      const path = `${directory}/${name}`;
      try {
        blocks.push(known.get(path) ?? new Block(files, path, cache));
        known.delete(path);
      } catch (error) {
        const reason = OperatingError.is(error) ? error.message : errorText(error);
        broken.push({ name, reason, time: this.#timeOf(path) });
        if (!this.#broken.some((known) => known.name === name)) {
          metrics.blockCorruptions.inc();
          log.error('a block cannot be opened; its samples are missing from answers', {
            block: name,
            err: reason,
          });
        }
      }
    }
    if (broken.length > 0) metrics.reloadFailures.inc();
    this.#broken = broken;
    this.#isStale = false;
    this.#blocks = inAnswerOrder(blocks);
    for (const gone of known.values()) gone.release();
  }

  /** Opens the block in `path` without showing it yet; {@link add} does. */
  open(path: string): Block {
    const { files, cache } = this.#options;
    return new Block(files, path, cache);
  }

  add(block: Block): void {
    this.#blocks = inAnswerOrder([...this.#blocks, block]);
  }

  /** Takes the block out of sight and removes its files; readers that hold it go on. */
  delete(block: Block): void {
    const { files, directory } = this.#options;
    const doomed = `${directory}/${block.ulid}${TMP_FOR_DELETION}`;
    // First the name, so that an interrupted removal leaves no half block.
    files.rename(block.directory, doomed);
    this.#blocks = this.#blocks.filter((other) => other !== block);
    block.release();
    this.#doomed.add(doomed);
    this.#removeDoomed();
  }

  #removeDoomed(): void {
    if (this.#doomed.size === 0) return;
    const { files, directory } = this.#options;
    // Else a power loss might leave the old name with a part of the files.
    files.syncDirectory(directory);
    for (const doomed of this.#doomed) {
      files.removeTree(doomed);
      this.#doomed.delete(doomed);
    }
  }

  #brokenIn(range: TimeRange): BrokenBlock[] {
    return this.#broken.filter(
      ({ time }) => time === null || (range.maxMs >= time.minTime && range.minMs < time.maxTime),
    );
  }

  #timeOf(path: string): BrokenBlock['time'] {
    try {
      const file = `${path}/meta.json`;
      return decodeMeta(new TextDecoder().decode(this.#options.files.readFile(file)), file);
    } catch {
      return null;
    }
  }

  close(): void {
    for (const block of this.#blocks) block.release();
    this.#blocks = [];
  }
}
