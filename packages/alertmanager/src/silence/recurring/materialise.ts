import { type Clock, errorText, OperatingError, Slices, type Timer, Turns } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import type { ClusterPort } from '../../cluster-port.ts';
import { nextChange } from '../../time-interval/next-change.ts';
import { containsTime } from '../../time-interval/time-interval.ts';
import { stateAt } from '../silence.ts';
import type { SilenceStore } from '../silence-store.ts';
import {
  occurrenceId,
  parseSchedule,
  RECURRING_ANNOTATION,
  type RecurringSilence,
} from './recurring-silence.ts';
import type { RecurringSilences } from './recurring-silences.ts';

/** Silences are made this long before they begin, ms, so that members who join late still have them in time. */
const AHEAD_MS = 24 * 3_600_000;
/** An occurrence without an end within this is cut into pieces of it, ms. */
const LONGEST_MS = 8 * 24 * 3_600_000;
const INTERVAL_MS = 5 * 60_000;
/** The calendar of each is looked at no more often than this, ms. */
const LOOK_MS = 60 * 60_000;
/** Occurrences of one recurring silence within a day; a schedule of more is not followed further. */
const MAX_OCCURRENCES = 100;

export type MaterialiserOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: ClusterPort;
  readonly silences: SilenceStore;
  readonly recurring: RecurringSilences;
};

/** Makes ordinary silences, which every member obeys, of recurring ones; the member at position 0 does. */
export class Materialiser {
  readonly #options: MaterialiserOptions;
  readonly #turns = new Turns();
  /** When the calendar of each was looked at, ms. */
  readonly #lookedMs = new Map<string, number>();
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(options: MaterialiserOptions) {
    this.#options = options;
  }

  start(): void {
    this.#later();
    void this.run();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** Makes what is due. Also called by the member on which one was created, so that its maker sees it at once. */
  run(isForced = false): Promise<void> {
    const { clock, cluster, recurring } = this.#options;
    return this.#turns.take(async () => {
      if (this.#isClosed || (!isForced && cluster.position() !== 0)) return;
      const nowMs = clock.monotonic();
      for (const item of recurring.live()) {
        if (nowMs - (this.#lookedMs.get(item.id) ?? -Infinity) < LOOK_MS) continue;
        await this.#make(item);
        this.#lookedMs.set(item.id, nowMs);
      }
      // Also those made in the moment in which another member took theirs back.
      for (const { id } of recurring.deleted()) this.endOf(id);
      for (const id of this.#lookedMs.keys()) {
        if (recurring.get(id) === undefined) this.#lookedMs.delete(id);
      }
    });
  }

  /** Ends the silences that were made of one and are not over. */
  endOf(recurringId: string): void {
    const { clock, silences } = this.#options;
    for (const silence of [...silences.all()]) {
      if (silence.annotations.get(RECURRING_ANNOTATION) !== recurringId) continue;
      if (stateAt(silence, clock.now()) !== 'expired') silences.expire(silence.id);
    }
  }

  #later(): void {
    this.#timer = this.#options.clock.after(INTERVAL_MS, () => {
      void this.run();
      this.#later();
    });
  }

  async #make(item: RecurringSilence): Promise<void> {
    const { clock, log, silences } = this.#options;
    try {
      const nowMs = clock.now();
      for (const { fromMs, untilMs } of await upcoming(item, clock, nowMs + AHEAD_MS)) {
        const id = occurrenceId(item.id, untilMs);
        // One that somebody ended, or that another member made, stays as it is.
        if (silences.get(id) !== undefined || this.#isClosed) continue;
        silences.createAs(id, {
          id: '',
          matchers: item.matchers,
          startsAtMs: fromMs,
          endsAtMs: untilMs,
          createdBy: item.createdBy,
          comment: item.comment,
          annotations: new Map([[RECURRING_ANNOTATION, item.id]]),
        });
      }
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      log.warn('A recurring silence cannot be followed', { id: item.id, err: errorText(error) });
    }
  }
}

/** The occurrences that run now or begin before `beginUntilMs`. */
export async function upcoming(
  item: RecurringSilence,
  clock: Clock,
  beginUntilMs: number,
): Promise<readonly { readonly fromMs: number; readonly untilMs: number }[]> {
  const intervals = parseSchedule(item.schedule);
  const isHeld = (timeMs: number): boolean =>
    intervals.some((interval) => containsTime(interval, timeMs));
  const slices = new Slices(clock);
  const found: { readonly fromMs: number; readonly untilMs: number }[] = [];
  let fromMs: number | null = clock.now();
  if (!isHeld(fromMs)) {
    fromMs = await nextChange(isHeld, { fromMs, untilMs: beginUntilMs }, slices);
  }
  while (fromMs !== null && fromMs <= beginUntilMs && found.length < MAX_OCCURRENCES) {
    // Pieces of an endless occurrence end at the same times on all members.
    const cutMs = (Math.floor(fromMs / LONGEST_MS) + 1) * LONGEST_MS;
    const changeMs = await nextChange(isHeld, { fromMs, untilMs: cutMs }, slices);
    const untilMs = changeMs ?? cutMs;
    found.push({ fromMs, untilMs });
    fromMs = isHeld(untilMs)
      ? untilMs
      : await nextChange(isHeld, { fromMs: untilMs, untilMs: beginUntilMs }, slices);
  }
  return found;
}
