import type { Env } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import type { ClusterPort } from '../cluster-port.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import { Materialiser } from './recurring/materialise.ts';
import { RecurringSilences } from './recurring/recurring-silences.ts';
import { SeenSilences } from './seen.ts';
import type { SilenceStore } from './silence-store.ts';

export type SilencesBeyondOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly cluster: ClusterPort;
  readonly silences: SilenceStore;
  readonly events: NotifyEvents;
};

/** What the cluster shares about silences beside themselves: who holds them, and which come back by the calendar. */
export class SilencesBeyond {
  readonly seen: SeenSilences;
  readonly recurring: RecurringSilences;
  readonly materialiser: Materialiser;
  readonly #cluster: ClusterPort;

  constructor({ env, log, cluster, silences, events }: SilencesBeyondOptions) {
    this.#cluster = cluster;
    this.seen = new SeenSilences(cluster, silences);
    const seenChannel = cluster.addState('pollux_seen', this.seen);
    this.seen.connect(events, (data) => seenChannel.broadcast(data));
    this.recurring = new RecurringSilences(env);
    const { clock } = env;
    this.materialiser = new Materialiser({
      clock,
      log,
      cluster,
      silences,
      recurring: this.recurring,
    });
  }

  /** `onChange` is called after each change made here. */
  start(onChange: () => void): void {
    const channel = this.#cluster.addState('pollux_recurring', this.recurring);
    this.recurring.connect((data) => channel.broadcast(data), onChange);
    this.materialiser.start();
  }

  /** Forgets what is no longer needed. */
  collect(): void {
    this.seen.collect();
  }

  close(): void {
    this.materialiser.close();
  }
}
