import type { Env } from '@pollux/base';
import type { Log, Registry } from '@pollux/telemetry';
import type { LogReceiver } from '../../nflog/entry.ts';
import type { NotificationTemplates } from '../../template/templates.ts';
import type { Robots } from './robots/robots.ts';

/** The environment's variables, by name. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What every receiver is built from, beside its own configuration. */
export type BuildOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  /** The environment's variables; only those of AWS and of proxies are read. */
  readonly variables: Variables;
  /** Of this machine, for the ids of mails. */
  readonly hostname: string;
  readonly receiver: LogReceiver;
  readonly templates: NotificationTemplates;
  readonly resolvePath: (name: string) => string;
  readonly userAgent: string;
  /** Rate limits of robots; they outlive a reload. */
  readonly robots: Robots;
};
