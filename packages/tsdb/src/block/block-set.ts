import { errorText, type Files, unlinkTree } from '@pollux/base';
import type { Annotation, ChangeLog, TimeRange } from '@pollux/storage';
import type { Log } from '@pollux/telemetry';
import { BlockUnavailableError } from '../errors.ts';
import { type BlockMeta, decodeMeta, isFromOutOfOrder } from '../format/meta.ts';
import type { TsdbMetrics } from '../metrics.ts';
import type { Slices } from '../slices.ts';
import { inAnswerOrder } from './answer-order.ts';
import { Block } from './block.ts';
import type { FileCache } from './file-cache.ts';

export type BlockSetOptions = {
  readonly files: Files;
  readonly directory: string;
  readonly cache: FileCache;
  readonly metrics: TsdbMetrics;
  readonly log: Log;
  /** Told of every change of what is answered, also by damage. */
  readonly changes?: ChangeLog;
  /** Nothing on the disk is changed. */
  readonly isReadOnly?: boolean;
};

export const TMP_FOR_CREATION = '.tmp-for-creation';
export const TMP_FOR_DELETION = '.tmp-for-deletion';

const OPEN_ATTEMPTS = 3;
/** What an interrupted `replaceFile` leaves. */
const TEMPORARY_FILE = /\.tmp-/;
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

/** A block that cannot be opened. Its description is null where not even that can be read. */
type BrokenBlock = {
  readonly name: string;
  readonly reason: string;
  readonly meta: BlockMeta | null;
};

/**
 * The blocks of a data directory, in the order in which they answer. A block that cannot be opened is quarantined: it stays where it is, is
 * neither read nor compacted nor deleted, answers of its time name it, and each {@link reload} tries it again.
 */
export class BlockSet {
  readonly #options: BlockSetOptions;
  #shown: readonly Block[] = [];
  #quarantined: readonly BrokenBlock[] = [];
  /** Blocks in which damage was found while they were read; each is logged once. */
  readonly #damaged = new Set<string>();
  /** Directories that have lost their names as blocks and are to be removed. */
  readonly #doomed: string[] = [];
  /** Deleted blocks that still have their names. */
  readonly #named = new Set<string>();
  /** A block may have got its name without being shown. */
  #isStale = false;

  constructor(options: BlockSetOptions) {
    this.#options = options;
  }

  get #blocks(): readonly Block[] {
    return this.#shown;
  }

  set #blocks(blocks: readonly Block[]) {
    this.#shown = blocks;
    this.#options.cache.fitTo(this.sizeBytes);
    this.#options.changes?.noteAll();
  }

  get #broken(): readonly BrokenBlock[] {
    return this.#quarantined;
  }

  set #broken(broken: readonly BrokenBlock[]) {
    const isSame = broken.length === 0 && this.#quarantined.length === 0;
    this.#quarantined = broken;
    if (!isSame) this.#options.changes?.noteAll();
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

  /** Of the blocks and of those that cannot be opened now, as far as their descriptions can be read. */
  metas(): BlockMeta[] {
    const broken = this.#broken.flatMap(({ meta }) => (meta === null ? [] : [meta]));
    return [...this.#blocks.map(({ meta }) => meta), ...broken];
  }

  /** Blocks that cannot be opened, and open ones in which damage was found. */
  get damagedCount(): number {
    return this.#broken.length + this.#damaged.size;
  }

  /** Times of the damaged blocks, end exclusive; null for one whose time cannot be read. */
  damagedTimes(): ({ readonly minTime: number; readonly maxTime: number } | null)[] {
    const damaged = this.#blocks.filter(({ ulid }) => this.#damaged.has(ulid));
    return [...this.#broken.map(({ meta }) => meta), ...damaged.map(({ meta }) => meta)];
  }

  /** Names the quarantined blocks that may have had samples of the range. */
  warningsIn(range: TimeRange): Annotation[] {
    return this.#brokenIn(range).map(({ name, reason }) => ({
      kind: 'warning',
      text: `block ${name} cannot be opened and its samples are missing: ${reason}`,
    }));
  }

  /** True when a block that cannot be opened may have samples of the range. */
  isBrokenIn(range: TimeRange): boolean {
    return this.#brokenIn(range).length > 0;
  }

  /** To be told of each part of a block that could not be read. */
  noteDamage(block: Block, error: unknown): void {
    const { metrics, log } = this.#options;
    metrics.blockCorruptions.inc();
    if (this.#damaged.has(block.ulid)) return;
    this.#damaged.add(block.ulid);
    this.#options.changes?.noteAll();
    log.error('a block is damaged; what can be read of it is served', {
      block: block.ulid,
      err: errorText(error),
    });
  }

  /** True when a block may be in the directory that is not shown, since its making failed at the end. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** Tries again to open what {@link forDeletion} would refuse. */
  async retry(): Promise<void> {
    if (this.#isStale || this.#broken.length > 0) await this.reload(null);
  }

  /**
   * The blocks of the range for a deletion. Throws BlockUnavailableError when one cannot be opened: what it holds would be
   * back as soon as it can.
   */
  forDeletion(range: TimeRange): readonly Block[] {
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
   * logged once and counted; the others are used. Blocks that were made into another, as its `meta.json` says, are deleted:
   * a crash may have come between. `slices` null holds the thread.
   */
  async reload(slices: Slices | null): Promise<void> {
    const { files, directory, metrics } = this.#options;
    metrics.reloads.inc();
    const names = files.list(directory).filter((name) => ULID.test(name) && !this.#named.has(name));
    const before = new Map(this.#blocks.map((block) => [block.ulid, block]));
    const broken: BrokenBlock[] = [];
    const opened: Block[] = [];
    for (const name of names) {
      if (before.has(name)) continue;
      const path = `${directory}/${name}`;
      try {
        opened.push(await this.#openPatiently(path, slices));
      } catch (error) {
        if (slices !== null && !files.exists(path)) continue;
        broken.push({ name, reason: errorText(error), meta: this.#metaOf(path) });
      }
    }
    // Blocks may have come while others were being opened.
    const listed = new Set(names);
    const known = this.#blocks.filter(({ ulid }) => !before.has(ulid) || listed.has(ulid));
    const gone = this.#blocks.filter((block) => !known.includes(block));
    const fresh = opened.filter(({ ulid }) => !known.some((block) => block.ulid === ulid));
    for (const block of opened) if (!fresh.includes(block)) block.release();
    this.#blocks = inAnswerOrder([...known, ...fresh]);
    for (const block of gone) block.release();
    this.#isStale = false;
    this.#quarantine(this.#withoutReplaced(broken));
  }

  /**
   * A passing fault must not hide a block: at a start the log would answer for its time, with samples that were deleted from
   * the block.
   */
  async #openPatiently(path: string, slices: Slices | null): Promise<Block> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.open(path, slices);
      } catch (error) {
        if (attempt === OPEN_ATTEMPTS) throw error;
      }
    }
  }

  /** Opens the block in `path` without showing it yet; {@link replace} does. `slices` null holds the thread. */
  async open(path: string, slices: Slices | null): Promise<Block> {
    const { files, cache } = this.#options;
    return slices === null
      ? Block.open(files, path, cache)
      : Block.openSliced(files, path, cache, slices);
  }

  /** Gives a complete block its name and shows it instead of its parents, in one step for readers. Their files go later. */
  publish(block: Block, parents: readonly Block[]): void {
    const { files, directory } = this.#options;
    // Else the last block that names those as its parents might go before them.
    if (parents.length > 0) this.#takeNames();
    try {
      block.moveTo(`${directory}/${block.ulid}`);
      files.syncDirectory(directory);
    } catch (error) {
      // The block may have its name all the same; the next reload finds it.
      this.#isStale = true;
      throw error;
    }
    this.#blocks = inAnswerOrder([
      ...this.#blocks.filter((other) => !parents.includes(other)),
      block,
    ]);
    for (const parent of parents) this.#doom(parent);
  }

  /** Shows a block that was written into the directory under its name, beside those that are there. */
  async adopt(path: string, slices: Slices): Promise<void> {
    const block = await this.open(path, slices);
    // A reload may have found it meanwhile.
    if (this.#blocks.some(({ ulid }) => ulid === block.ulid)) block.release();
    else this.#blocks = inAnswerOrder([...this.#blocks, block]);
  }

  /**
   * Takes the block out of sight; readers that hold it go on. Its files go with {@link sweep}. Throws the system's error, and
   * does nothing, while blocks that were deleted before still have their names.
   */
  delete(block: Block): void {
    this.#takeNames();
    this.#drop(block);
  }

  /** Deleted blocks do not come back with a power loss, from now on. Throws the system's error while that is not so. */
  settleDeletions(): void {
    const { files, directory } = this.#options;
    this.#takeNames();
    if (this.#doomed.length > 0) files.syncDirectory(directory);
  }

  #drop(block: Block): void {
    this.#blocks = this.#blocks.filter((other) => other !== block);
    this.#doom(block);
  }

  /** Removes the files of deleted blocks. */
  async sweep(slices: Slices): Promise<void> {
    this.#takeNames();
    if (this.#doomed.length === 0) return;
    const { files, directory } = this.#options;
    // Else a power loss might leave the old name with a part of the files.
    files.syncDirectory(directory);
    for (let path = this.#doomed[0]; path !== undefined; path = this.#doomed[0]) {
      await unlinkTree(files, path);
      this.#doomed.shift();
      await slices.pause();
    }
  }

  #doom(block: Block): void {
    this.#named.add(block.ulid);
    block.release();
    try {
      this.#takeNames();
    } catch (error) {
      const err = errorText(error);
      this.#options.log.error('a block cannot be deleted yet', { block: block.ulid, err });
    }
  }

  /**
   * Takes the names of deleted blocks, before their files: an interrupted removal then leaves no half block. While a block
   * has its name, only the block that was made from it tells the next start that it is not to be shown.
   */
  #takeNames(): void {
    const { files, directory } = this.#options;
    for (const ulid of this.#named) {
      const path = `${directory}/${ulid}${TMP_FOR_DELETION}`;
      if (files.exists(`${directory}/${ulid}`)) files.rename(`${directory}/${ulid}`, path);
      this.#doomed.push(path);
      this.#named.delete(ulid);
    }
  }

  /** Deletes or, when nothing may be changed, hides the parents of the blocks that are open. Returns the other broken ones. */
  #withoutReplaced(broken: readonly BrokenBlock[]): BrokenBlock[] {
    const { files, directory, log, isReadOnly = false } = this.#options;
    const parents = new Set(
      this.#blocks.flatMap(({ meta }) => meta.compaction.parents?.map(({ ulid }) => ulid) ?? []),
    );
    for (const block of this.#blocks) {
      if (!parents.has(block.ulid) && block.meta.compaction.deletable !== true) continue;
      if (!isReadOnly) {
        log.info('deleting a block that was made into another', { block: block.ulid });
        this.#drop(block);
        continue;
      }
      this.#blocks = this.#blocks.filter((other) => other !== block);
      block.release();
    }
    for (const { name } of broken) {
      if (!parents.has(name) || isReadOnly) continue;
      log.warn('deleting a broken block that was made into another', { block: name });
      files.rename(`${directory}/${name}`, `${directory}/${name}${TMP_FOR_DELETION}`);
      this.#doomed.push(`${directory}/${name}${TMP_FOR_DELETION}`);
    }
    return broken.filter(({ name }) => !parents.has(name));
  }

  #quarantine(broken: readonly BrokenBlock[]): void {
    const { metrics, log } = this.#options;
    if (broken.length > 0) metrics.reloadFailures.inc();
    for (const { name, reason } of broken) {
      if (this.#broken.some((known) => known.name === name)) continue;
      metrics.blockCorruptions.inc();
      log.error('a block cannot be opened; its samples are missing from answers', {
        block: name,
        err: reason,
      });
    }
    this.#broken = broken;
  }

  #brokenIn(range: TimeRange): BrokenBlock[] {
    return this.#broken.filter(
      ({ meta }) => meta === null || (range.maxMs >= meta.minTime && range.minMs < meta.maxTime),
    );
  }

  #metaOf(path: string): BlockMeta | null {
    try {
      const file = `${path}/meta.json`;
      return decodeMeta(new TextDecoder().decode(this.#options.files.readFile(file)), file);
    } catch {
      // Why the block cannot be opened has been told; then its time is not known either.
      return null;
    }
  }

  close(): void {
    for (const block of this.#blocks) block.release();
    this.#blocks = [];
  }
}
