import type { Alert } from './alert/alert.ts';
import type { AlertBytes } from './alert/alert-bytes.ts';
import type { AlertProvider } from './alert/alert-provider.ts';
import type { ClusterPort } from './cluster-port.ts';
import { AlertMemory, type JournaledState } from './durable/alert-memory.ts';
import { DurableMetrics } from './durable/durable-metrics.ts';
import type { AlertmanagerOptions } from './options.ts';
import { Outbox } from './outbox/outbox.ts';
import { OutboxStore } from './outbox/outbox-store.ts';

export type OwnStateOptions = Pick<AlertmanagerOptions, 'env' | 'log' | 'registry'> & {
  readonly cluster: ClusterPort;
  readonly peerTimeoutMs: number;
  readonly outboxMaxAgeMs: number;
  readonly storageDirectory: string;
  readonly provider: AlertProvider;
  readonly alertBytes: AlertBytes;
  /** Those of upstream whose changes are kept between snapshots, by name. */
  readonly states: ReadonlyMap<string, JournaledState>;
  /** Whether a group holds the alert. */
  readonly isHeld: (alert: Alert) => boolean;
};

/** What this program remembers beyond upstream's snapshots: the files `alerts` and `outbox`. */
export class OwnState {
  readonly memory: AlertMemory;
  readonly outbox: Outbox;
  readonly store: OutboxStore;

  constructor(options: OwnStateOptions) {
    const { env, log, registry, provider } = options;
    const shared = {
      env,
      log,
      metrics: new DurableMetrics(registry),
      directory: options.storageDirectory,
    };
    this.memory = new AlertMemory({
      ...shared,
      provider,
      alertBytes: options.alertBytes,
      states: options.states,
      isHeld: options.isHeld,
    });
    this.store = new OutboxStore({
      ...shared,
      adopt: (alert) => ({ ...alert, identity: provider.identityOf(alert.identity.labels) }),
    });
    this.outbox = new Outbox({ ...options, maxAgeMs: options.outboxMaxAgeMs, store: this.store });
  }

  /** Call it when the snapshots are loaded. Never throws for what is in the files. */
  open(resolveTimeoutMs: number): void {
    this.memory.open(resolveTimeoutMs);
    this.store.open();
  }

  /** After the snapshots were written. */
  async close(): Promise<void> {
    await this.memory.close();
    await this.store.close();
  }
}
