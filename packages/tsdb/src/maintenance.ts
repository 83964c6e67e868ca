import { errorText, Turns } from '@pollux/base';
import type { Matcher } from '@pollux/model';
import type { TimeRange } from '@pollux/storage';
import { BlockMaintenance } from './block-maintenance.ts';
import { DeletionLog } from './deletion-log.ts';
import { HeadMaintenance } from './head-maintenance.ts';
import type { MaintenanceContext, MaintenanceParts } from './maintenance-context.ts';
import { writeSnapshot } from './snapshot.ts';

/**
 * Moves the head into blocks, compacts blocks and enforces retention. Work on the head goes on beside work on blocks, which
 * may take hours; each of the two does one thing at a time.
 */
export class Maintenance {
  readonly #closing = new AbortController();
  readonly #context: MaintenanceContext;
  readonly #head: HeadMaintenance;
  readonly #blocks: BlockMaintenance;
  readonly #headTurns = new Turns();
  readonly #blockTurns = new Turns();
  #headRound: Promise<void> | null = null;
  #blockRound: Promise<void> | null = null;

  constructor(parts: MaintenanceParts) {
    const { signal } = this.#closing;
    this.#context = { ...parts, signal, deletions: new DeletionLog() };
    this.#head = new HeadMaintenance(this.#context);
    this.#blocks = new BlockMaintenance(this.#context);
  }

  /**
   * Does what is due, first for the head, then for the blocks; a call during such a round waits for that one. Failures are
   * logged and counted, and tried again later.
   */
  async run(): Promise<void> {
    this.#headRound ??= this.#headTurns
      .take(() => this.#guarded('moving the head to a block failed', () => this.#head.run()))
      .finally(() => {
        this.#headRound = null;
      });
    await this.#headRound;
    this.#blockRound ??= this.#blockTurns
      .take(() => this.#guarded('maintenance of blocks failed', () => this.#blocks.run()))
      .finally(() => {
        this.#blockRound = null;
      });
    await this.#blockRound;
  }

  /**
   * Ends waiting and resolves when no work is under way. If the head is whole, its last snapshot is written then; one that
   * is still being replayed must leave none.
   */
  async close(isHeadWhole: boolean): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#headTurns.take(async () => {});
    await this.#blockTurns.take(async () => {});
    if (isHeadWhole) await this.#context.snapshots.runAtClose(new AbortController().signal);
  }

  /** To be called for each deletion, at the same time as it is applied to the head and the blocks. */
  noteDeletion(range: TimeRange, matchers: readonly Matcher[]): void {
    this.#context.deletions.note(range, matchers);
    this.#blocks.noteDeletion();
  }

  /** Rewrites all blocks of which samples were deleted. */
  cleanTombstones(): Promise<void> {
    return this.#blockTurns.take(() => this.#blocks.cleanTombstones());
  }

  /** Writes a snapshot below the directory and returns its name. */
  snapshot(skipHead: boolean): Promise<string> {
    return this.#blockTurns.take(() =>
      this.#headTurns.take(() => writeSnapshot(this.#context, skipHead)),
    );
  }

  async #guarded(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#context.init.log.error(what, { err: errorText(error) });
    }
  }
}
