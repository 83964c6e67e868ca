import { type Clock, sleep } from '@pollux/base';
import type { OneAddress } from './address.ts';
import type { Alarm, Silence } from './record.ts';
import { QUESTION_TIMEOUT_MS } from './times.ts';

/** A silence is asked for so long before its alarm rises: the longest answer, and time to reach the other member. */
const BEFORE_RISE_MS = QUESTION_TIMEOUT_MS + 2_000;
/** And lasts so long after the alarm has ended, so that its end is silent too. */
const AFTER_FALL_MS = 30_000;

/** Silences, through the address, the alarms that are planned to be. */
export class Silencer {
  readonly #clock: Clock;
  readonly #address: OneAddress;

  constructor(clock: Clock, address: OneAddress) {
    this.#clock = clock;
    this.#address = address;
  }

  async silenceAll(alarms: readonly Alarm[], signal: AbortSignal): Promise<Silence[]> {
    const silenced = alarms.filter(({ isSilenced }) => isSilenced);
    return Promise.all(
      silenced.map(async (alarm) => {
        const delayMs = alarm.riseMs - BEFORE_RISE_MS - this.#clock.now();
        await sleep(this.#clock, Math.max(0, delayMs), signal);
        return this.#silence(alarm);
      }),
    );
  }

  async #silence({ id, fallMs }: Alarm): Promise<Silence> {
    const askedMs = this.#clock.now();
    const endsMs = fallMs + AFTER_FALL_MS;
    const { error } = await this.#address.ask('/api/v2/silences', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        matchers: [{ name: 'id', value: id, isRegex: false, isEqual: true }],
        startsAt: new Date(askedMs).toISOString(),
        endsAt: new Date(endsMs).toISOString(),
        createdBy: 'chaos',
        comment: 'planned',
      }),
    });
    return { id, askedMs, endsMs, acknowledgedMs: error === null ? this.#clock.now() : null };
  }
}
