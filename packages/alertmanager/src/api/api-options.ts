import type { Clock } from '@pollux/base';
import type { Counter, Family, Registry, Tracing } from '@pollux/telemetry';
import type { AlertProvider } from '../alert/alert-provider.ts';
import type { ClusterPort } from '../cluster-port.ts';
import type { History } from '../history/history.ts';
import type { LiveConfig } from '../live-config.ts';
import type { MatcherMode } from '../matcher/parse.ts';
import type { SilenceStore } from '../silence/silence-store.ts';
import type { AlertReader } from './alert-reader.ts';

/** What the routes below /api work on. */
export type ApiOptions = {
  readonly clock: Clock;
  readonly tracing: Tracing;
  readonly registry: Registry;
  readonly cluster: ClusterPort;
  readonly provider: AlertProvider;
  readonly reader: AlertReader;
  readonly silences: SilenceStore;
  readonly history: History;
  readonly matcherMode: MatcherMode;
  readonly externalUrl: string;
  /** Of this program. */
  readonly version: string;
  readonly startedAtMs: () => number;
  /** The configuration in force. Asserts that there is one. */
  readonly live: () => LiveConfig;
  readonly received: Family<Counter>;
  readonly invalid: Family<Counter>;
};
