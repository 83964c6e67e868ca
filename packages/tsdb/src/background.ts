import { errorText, type Timer } from '@pollux/base';
import {
  type CardinalityHistory,
  SNAPSHOT_INTERVAL_MS,
} from './cardinality/cardinality-history.ts';
import type { TsdbInit } from './init.ts';
import type { Maintenance } from './maintenance.ts';
import type { OooWindow } from './ooo/window.ts';
import type { TsdbOptions } from './options.ts';
import type { Wal } from './wal/wal.ts';

/** After failures syncs are no further apart. */
const MAX_SYNC_DELAY_MS = 60_000;

export type BackgroundParts = {
  readonly init: TsdbInit;
  readonly options: TsdbOptions;
  readonly wal: Wal;
  readonly window: OooWindow;
  readonly maintenance: Maintenance;
  readonly history: CardinalityHistory;
};

/** What a database does by the clock: syncs of its logs, rounds of maintenance, the history of its cardinality. */
export class Background {
  readonly #parts: BackgroundParts;
  #syncDelayMs: number;
  #syncTimer: Timer | null = null;
  #maintenanceTimer: Timer | null = null;
  #historyTimer: Timer | null = null;
  #isClosed = false;

  constructor(parts: BackgroundParts) {
    this.#parts = parts;
    this.#syncDelayMs = parts.options.fsyncIntervalMs;
  }

  /** Begins syncing where that is done at intervals. Call it once. */
  startSyncs(): void {
    if (this.#parts.options.fsync === 'interval') this.#scheduleSync();
  }

  /** Begins the rest, for which the head must be whole. Call it once. */
  startMaintenance(): void {
    this.#scheduleMaintenance();
    this.#recordHistory();
  }

  /** Nothing begins any more; what is under way goes on. */
  close(): void {
    this.#isClosed = true;
    this.#historyTimer?.cancel();
    this.#syncTimer?.cancel();
    this.#maintenanceTimer?.cancel();
  }

  #scheduleSync(): void {
    const { init, options, wal, window } = this.#parts;
    this.#syncTimer = init.env.clock.after(this.#syncDelayMs, () => {
      Promise.all([wal.sync(), window.sync()])
        .then(
          () => {
            this.#syncDelayMs = options.fsyncIntervalMs;
          },
          (error: unknown) => {
            // Each failure leaves a segment: a disk that is dying gets fewer of them.
            this.#syncDelayMs = Math.min(this.#syncDelayMs * 2, MAX_SYNC_DELAY_MS);
            init.log.error('syncing failed', { err: errorText(error) });
          },
        )
        .finally(() => {
          if (!this.#isClosed) this.#scheduleSync();
        });
    });
  }

  #recordHistory(): void {
    if (this.#isClosed) return;
    const { init, history } = this.#parts;
    history.record(init.env.clock.now());
    this.#historyTimer = init.env.clock.after(SNAPSHOT_INTERVAL_MS, () => this.#recordHistory());
  }

  #scheduleMaintenance(): void {
    const { init, options, maintenance } = this.#parts;
    if (this.#isClosed) return;
    this.#maintenanceTimer = init.env.clock.after(options.maintenanceIntervalMs, () => {
      if (this.#isClosed) return;
      // Not waited for: a block due from the head must not wait for the end of a long compaction.
      maintenance
        .run()
        .catch((error: unknown) => init.log.error('maintenance failed', { err: errorText(error) }));
      this.#scheduleMaintenance();
    });
  }
}
