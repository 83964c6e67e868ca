import type { Env } from '@pollux/base';
import type { Log, Registry } from '@pollux/telemetry';
import type { ClusterPort } from './cluster-port.ts';
import type { MatcherMode } from './matcher/parse.ts';
import type { MetricLabels } from './metrics.ts';

export type AlertmanagerOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  /** NO_CLUSTER for a single node. */
  readonly cluster: ClusterPort;
  /** `--storage.path`. */
  readonly storageDirectory: string;
  /** `--web.external-url`, without a slash at its end. */
  readonly externalUrl: string;
  /** Of this program, for the status page. */
  readonly version: string;
  /** The environment's variables, where receivers look for credentials of AWS and for proxies. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** Of this machine; part of the ids of mails. */
  readonly hostname?: string;
  /** Reads the configuration anew and commits it; what `/-/reload` calls. Notes a failure and rejects when the new one is refused. */
  readonly reload: () => Promise<void>;
  /** `--data.retention`. */
  readonly retentionMs?: number;
  /** `--history.retention`. */
  readonly historyRetentionMs?: number;
  /** `--history.max-bytes`. */
  readonly historyMaxBytes?: number;
  /** `--data.maintenance-interval`. */
  readonly maintenanceIntervalMs?: number;
  /** `--alerts.gc-interval`. */
  readonly alertGcIntervalMs?: number;
  /** `--alerts.per-alertname-limit`; 0 for none. */
  readonly perAlertnameLimit?: number;
  /** `--dispatch.maintenance-interval`. */
  readonly dispatchMaintenanceIntervalMs?: number;
  /** `--dispatch.start-delay`: first flushes wait for this long after the start. */
  readonly startDelayMs?: number;
  /** `--cluster.peer-timeout`. */
  readonly peerTimeoutMs?: number;
  /** `--cluster.settle-timeout`: first flushes wait no longer than this for the cluster. */
  readonly settleTimeoutMs?: number;
  /** `--silences.max-silences`; 0 for none. */
  readonly maxSilences?: number;
  /** `--silences.max-silence-size-bytes`; 0 for none. */
  readonly maxSilenceBytes?: number;
  /** `--outbox.max-age`: what could not be delivered for so long is a dead letter. */
  readonly outboxMaxAgeMs?: number;
  /** `--log.silences`. */
  readonly logsSilences?: boolean;
  /** With `--enable-feature=event-recorder`, what writes to standard output; null without. */
  readonly printEvents?: ((text: string) => void) | null;
  /** `--web.get-concurrency`. */
  readonly getConcurrency?: number;
  /** Labels that cost a series for each value. */
  readonly metricLabels?: MetricLabels;
  /** The same as the configuration was read with. */
  readonly matcherMode?: MatcherMode;
};

export const ALERTMANAGER_DEFAULTS = {
  variables: {},
  hostname: 'localhost.localdomain',
  retentionMs: 120 * 3_600_000,
  historyRetentionMs: 30 * 24 * 3_600_000,
  historyMaxBytes: 512 * 1024 * 1024,
  maintenanceIntervalMs: 15 * 60_000,
  alertGcIntervalMs: 30 * 60_000,
  perAlertnameLimit: 0,
  dispatchMaintenanceIntervalMs: 30_000,
  startDelayMs: 0,
  peerTimeoutMs: 15_000,
  settleTimeoutMs: 60_000,
  maxSilences: 0,
  maxSilenceBytes: 0,
  outboxMaxAgeMs: 3_600_000,
  logsSilences: false,
  printEvents: null,
  getConcurrency: 16,
  metricLabels: {} as MetricLabels,
  matcherMode: 'fallback',
} as const satisfies Partial<AlertmanagerOptions>;
