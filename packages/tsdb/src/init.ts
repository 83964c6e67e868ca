import type { Env } from '@pollux/base';
import type { Log, Registry } from '@pollux/telemetry';
import type { TsdbOptions } from './options.ts';

/** What a database is made of. */
export type TsdbInit = {
  /** Data directory; made when missing. */
  readonly directory: string;
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly options?: Partial<TsdbOptions>;
};
