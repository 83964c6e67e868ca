import { type Env, LimitError, uuid } from '@pollux/base';
import type { ClusterStatePart } from '../../cluster-port.ts';
import { joined } from '../../wire/protobuf.ts';
import { decodeRecurring, encodeRecurring } from './codec.ts';
import { parseSchedule, type RecurringSilence } from './recurring-silence.ts';

const MAX_RECURRING = 1_000;
/** How long one that was taken back is kept, ms, so that no member brings it back. */
const KEPT_MS = 30 * 24 * 3_600_000;
const MAX_CLOCK_DIFFERENCE_MS = 24 * 3_600_000;
const MAX_RELAY_BYTES = 700;

export type RecurringDraft = Pick<
  RecurringSilence,
  'matchers' | 'schedule' | 'createdBy' | 'comment'
>;

type Stored = { readonly item: RecurringSilence; readonly bytes: Uint8Array };

/** All recurring silences of the cluster; last writer wins. The state "pollux_recurring", and the file of that name. */
export class RecurringSilences implements ClusterStatePart {
  readonly #env: Pick<Env, 'clock' | 'random'>;
  readonly #stored = new Map<string, Stored>();
  #broadcast: (data: Uint8Array) => void = () => {};
  #onChange: () => void = () => {};

  constructor(env: Pick<Env, 'clock' | 'random'>) {
    this.#env = env;
  }

  /** From now on every change is sent to the cluster; `onChange` is told of changes made here. */
  connect(broadcast: (data: Uint8Array) => void, onChange: () => void): void {
    this.#broadcast = broadcast;
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#stored.size;
  }

  /** Those that hold. */
  live(): RecurringSilence[] {
    return [...this.#stored.values()]
      .map(({ item }) => item)
      .filter(({ deletedMs }) => deletedMs === 0);
  }

  /** Those that were taken back, as long as they are kept. */
  deleted(): RecurringSilence[] {
    return [...this.#stored.values()]
      .map(({ item }) => item)
      .filter(({ deletedMs }) => deletedMs !== 0);
  }

  /** Also one that was taken back. */
  get(id: string): RecurringSilence | undefined {
    return this.#stored.get(id)?.item;
  }

  /** Throws RecurringSilenceError or LimitError. The matchers are the caller's to check. */
  create(draft: RecurringDraft): RecurringSilence {
    parseSchedule(draft.schedule);
    if (this.#stored.size >= MAX_RECURRING) {
      throw new LimitError(
        'ALERTMANAGER.RECURRING_LIMIT',
        'recurring silences',
        `${MAX_RECURRING} recurring silences are kept already; delete some`,
      );
    }
    const nowMs = this.#env.clock.now();
    const id = uuid(this.#env.random);
    const item = { ...draft, id, createdMs: nowMs, deletedMs: 0, updatedMs: nowMs };
    this.#publish(item);
    return item;
  }

  /** One that is not known or was taken back stays as it is. */
  delete(id: string): void {
    const known = this.get(id);
    if (known === undefined || known.deletedMs !== 0) return;
    const nowMs = this.#env.clock.now();
    const updatedMs = Math.max(nowMs, known.updatedMs + 1);
    this.#publish({ ...known, deletedMs: nowMs, updatedMs });
  }

  marshal(): Uint8Array {
    return joined([...this.#stored.values()].map(({ bytes }) => bytes));
  }

  merge(data: Uint8Array): void {
    for (const version of decodeRecurring(data)) {
      if (!this.#take(version)) continue;
      if (version.bytes.length <= MAX_RELAY_BYTES) this.#broadcast(version.bytes);
    }
  }

  /** Takes a snapshot over; as {@link merge}, but tells nobody. */
  load(data: Uint8Array): void {
    for (const version of decodeRecurring(data)) this.#take(version);
  }

  /** Forgets what was taken back long ago; returns how many. */
  collect(): number {
    const nowMs = this.#env.clock.now();
    let count = 0;
    for (const [id, { item }] of this.#stored) {
      if (item.deletedMs === 0 || item.deletedMs + KEPT_MS > nowMs) continue;
      this.#stored.delete(id);
      count++;
    }
    return count;
  }

  #take(version: Stored): boolean {
    const nowMs = this.#env.clock.now();
    const { item, bytes } = version;
    if (item.deletedMs !== 0 && item.deletedMs + KEPT_MS <= nowMs) return false;
    if (item.updatedMs > nowMs + MAX_CLOCK_DIFFERENCE_MS) return false;
    const known = this.#stored.get(item.id);
    if (known === undefined) {
      if (this.#stored.size >= MAX_RECURRING) return false;
    } else {
      const order = item.updatedMs - known.item.updatedMs;
      if (order < 0 || (order === 0 && Buffer.compare(bytes, known.bytes) <= 0)) return false;
    }
    this.#stored.set(item.id, version);
    return true;
  }

  #publish(item: RecurringSilence): void {
    const bytes = encodeRecurring(item);
    this.#stored.set(item.id, { item, bytes });
    this.#broadcast(bytes);
    this.#onChange();
  }
}
