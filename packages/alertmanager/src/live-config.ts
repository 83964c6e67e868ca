import type { AlertmanagerConfig } from './config/config.ts';
import type { Dispatcher } from './dispatch/dispatcher.ts';
import type { Inhibitor } from './inhibit/inhibitor.ts';
import type { Integration } from './notify/integration.ts';
import type { Pipeline } from './notify/pipeline.ts';
import type { Route } from './route/route.ts';
import type { NotificationTemplates } from './template/templates.ts';
import type { TimeIntervals } from './time-interval/time-intervals.ts';

/** All that one configuration brings to life and a reload replaces. */
export type LiveConfig = {
  readonly config: AlertmanagerConfig;
  /** With defaults and masked secrets. */
  readonly marshalled: string;
  readonly route: Route;
  readonly inhibitor: Inhibitor;
  readonly timeIntervals: TimeIntervals;
  readonly dispatcher: Dispatcher;
  readonly templates: NotificationTemplates;
  readonly pipeline: Pipeline;
  /** By receiver name; of receivers that some route uses. */
  readonly integrations: ReadonlyMap<string, readonly Integration[]>;
  receiverLabels(name: string): Readonly<Record<string, string>>;
};
