import { type Clock, Slices, type Timer } from '@pollux/base';
import { type Alert, isResolvedAt } from '../alert/alert.ts';
import type { AlertProvider } from '../alert/alert-provider.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import type { Acknowledgements } from './acknowledgements.ts';

/** Alerts that end together are looked at together, this much later, ms. */
const DELAY_MS = 1_000;
/** How often it is looked for those that cover nothing any more, ms. */
const SWEEP_MS = 60_000;
/** A member that has just begun knows few alerts; so long they have to arrive, ms. */
const GRACE_MS = 15 * 60_000;

export type AutoEndOptions = {
  readonly clock: Clock;
  readonly provider: AlertProvider;
  readonly acknowledgements: Acknowledgements;
  readonly events: NotifyEvents;
  /** The keys, in all spellings, of the groups that hold an alert. */
  readonly groupKeysOf: (alert: Alert) => readonly string[];
};

/** Ends acknowledgements whose alerts have all ended. */
export class AutoEnd {
  readonly #options: AutoEndOptions;
  /** Those of which an alert has ended since the last look. */
  readonly #suspects = new Set<string>();
  /** Since when each live one covers nothing that fires. */
  readonly #uncoveredSince = new Map<string, number>();
  #timer: Timer | null = null;
  #sweep: Timer;
  #isClosed = false;

  constructor(options: AutoEndOptions) {
    this.#options = options;
    const { clock, events, acknowledgements, groupKeysOf } = options;
    this.#sweep = clock.after(SWEEP_MS, () => this.#onSweep());
    events.subscribe((event) => {
      if (event.kind !== 'alert' || acknowledgements.size === 0) return;
      if (event.change !== 'resolved' && event.change !== 'timed out') return;
      // Who ends an alert need not tell when it began.
      const ended = event.previous ?? event.alert;
      for (const { id } of acknowledgements.covering(ended, () => groupKeysOf(ended))) {
        this.#suspects.add(id);
      }
      if (this.#suspects.size > 0) this.#timer ??= clock.after(DELAY_MS, () => this.#onTimer());
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#sweep.cancel();
  }

  #onTimer(): void {
    this.#timer = null;
    const suspects = new Set(this.#suspects);
    this.#suspects.clear();
    void this.#covering().then((covering) => {
      for (const id of suspects) if (!covering.has(id)) this.#options.acknowledgements.end(id);
    });
  }

  #onSweep(): void {
    const { clock, acknowledgements } = this.#options;
    if (this.#isClosed) return;
    this.#sweep = clock.after(SWEEP_MS, () => this.#onSweep());
    if (acknowledgements.size === 0) return;
    void this.#covering().then((covering) => {
      const nowMs = clock.monotonic();
      const live = [...acknowledgements.all()].filter((item) => acknowledgements.isLive(item));
      const uncovered = new Map<string, number>();
      for (const { id } of live) {
        if (covering.has(id)) continue;
        const sinceMs = this.#uncoveredSince.get(id) ?? nowMs;
        if (nowMs - sinceMs >= GRACE_MS) acknowledgements.end(id);
        else uncovered.set(id, sinceMs);
      }
      this.#uncoveredSince.clear();
      for (const [id, sinceMs] of uncovered) this.#uncoveredSince.set(id, sinceMs);
    });
  }

  /** The ids of those that cover an alert that fires. */
  async #covering(): Promise<ReadonlySet<string>> {
    const { clock, provider, acknowledgements, groupKeysOf } = this.#options;
    const slices = new Slices(clock);
    const ids = new Set<string>();
    for (const alert of provider.list()) {
      if (slices.isOver) await slices.pause();
      if (isResolvedAt(alert, clock.now())) continue;
      for (const { id } of acknowledgements.covering(alert, () => groupKeysOf(alert))) ids.add(id);
    }
    return ids;
  }
}
