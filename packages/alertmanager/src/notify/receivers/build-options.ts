import type { Env } from '@pollux/base';
import type { ClientConfig } from '@pollux/http';
import type { Registry } from '@pollux/telemetry';
import type { LogReceiver } from '../../nflog/entry.ts';
import type { NotificationTemplates } from '../../template/templates.ts';
import type { DingtalkRobots } from './dingtalk/robots.ts';

/** What every receiver is built from, beside its own configuration. */
export type BuildOptions = {
  readonly env: Env;
  readonly registry: Registry;
  readonly receiver: LogReceiver;
  readonly templates: NotificationTemplates;
  /** The global http_config, used where the receiver has none. */
  readonly globalHttp: ClientConfig | null;
  readonly resolvePath: (name: string) => string;
  readonly userAgent: string;
  /** Rate limits of robots; they outlive a reload. */
  readonly robots: DingtalkRobots;
};
