import type { Env } from '@pollux/base';
import type { Decoder } from '@pollux/config';
import type { Variables } from '@pollux/http';
import type { Labels } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import type { DiscoveryMetrics } from './metrics.ts';

/** Targets found together. A group replaces the earlier one of the same `source`; without targets it removes it. */
export type TargetGroup = {
  /** Unique within one provider: `file.yml:0`. */
  readonly source: string;
  /** Each has at least `__address__`. */
  readonly targets: readonly Labels[];
  /** Added to every target that does not have the label itself. */
  readonly labels: Labels;
};

/** Takes the groups that changed. */
export type EmitGroups = (groups: readonly TargetGroup[]) => void;

/** Looks for targets from `start` until `signal` aborts. Failures are logged and counted; what was found stays. */
export interface Discoverer {
  start(emit: EmitGroups, signal: AbortSignal): void;
}

export type DiscovererDeps = {
  readonly env: Env;
  readonly log: Log;
  readonly metrics: DiscoveryMetrics;
  /** Joins a relative name to the folder of the configuration file. */
  readonly resolvePath: (name: string) => string;
  /** The environment's, for proxies. */
  readonly variables: Variables;
};

/** One configured instance of a mechanism. Two with one `identity` find the same targets and are run once. */
export type ProviderSpec = {
  readonly mechanism: string;
  /** The whole configuration as text; may hold secrets, so it is compared and never printed. */
  readonly identity: string;
  create(deps: DiscovererDeps): Discoverer;
};

/** A way of finding targets: one folder, one row in the table of `mechanisms.ts`. */
export type Mechanism = {
  /** `file` for `file_sd_configs`. */
  readonly name: string;
  /** The key in a scrape or alertmanager configuration. */
  readonly configKey: string;
  /** Reads the value of that key. */
  readonly decoder: Decoder<readonly ProviderSpec[]>;
};
