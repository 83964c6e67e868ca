import type { Address, Env } from '@pollux/base';
import type { Log, Registry } from '@pollux/telemetry';
import type { FlagTable, FlagValues } from '../flags/flags.ts';

/** What every role is given; `lock` takes a data directory for this process and is undone by the closer of the role. */
export type RoleContext = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly lock: (directory: string) => () => void;
  /** Environment variables, for the peers' own (`INFLUXDB_*`). */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  /** Absent where a role is no process of its own. */
  readonly processId?: number;
  /** Writes to standard output, for roles that are asked to; absent where there is none. */
  readonly print?: (text: string) => void;
};

/** The process that a role runs in, as far as work in its idle time goes. */
export type OwnProcess = {
  /** For how long the main thread has been at work, by the wall clock; only grows. */
  readonly busyMs: () => number;
  /** Processor time of all threads; only grows. */
  readonly processorMs: () => number;
  /** Gives memory back that is garbage by now. */
  readonly collect: () => void;
};

/** A role that runs. */
export interface RunningRole {
  /** Where it listens for HTTP; null for a role that does not. */
  readonly address: Address | null;
  /** SIGHUP: load the files again; rejects and changes nothing when one is bad. */
  reload(): Promise<void>;
  /** SIGUSR1: log files were moved away, go on in new ones. Absent for a role without log files of its own. */
  reopenLogs?(): void;
  /**
   * Runs code in that is to be quick when somebody asks, while the main thread has nothing else to do. Never rejects. Absent for a role
   * without such code.
   */
  warmUp?(process: OwnProcess): Promise<void>;
  /** Idempotent and bounded. */
  close(): Promise<void>;
  /** Resolves when the role was asked to end from inside (`/-/quit`). */
  readonly quit: Promise<void>;
}

export const VERSION = '0.1.0';
/** The Prometheus whose behaviour is served; clients key features off it. */
export const PROMETHEUS_VERSION = '3.14.0';
export const ALERTMANAGER_VERSION = '0.34.0';
export const INFLUXDB_VERSION = '1.8.10';

/** What a role's door exports: its flags as data, and the way to start it. */
export type RoleModule<T extends FlagTable = FlagTable> = {
  readonly name: string;
  readonly usage: string;
  /** Shown by `--version`, in the peer's form. */
  readonly version: string;
  readonly flags: T;
  readonly start: (
    context: RoleContext,
    values: FlagValues<T>,
    given: ReadonlySet<string>,
  ) => Promise<RunningRole>;
};
