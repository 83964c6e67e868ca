import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import type { IntegrationSettings } from '../fields.ts';
import { Rendering } from '../rendering.ts';
import type { RobotAddress } from './address.ts';
import { type RobotProtocol, RobotSender } from './robot-sender.ts';

type RobotSettings = { readonly robots: readonly RobotAddress[] };

/** What one service of robots has of its own. */
export type RobotService<Settings extends RobotSettings> = {
  readonly protocol: RobotProtocol;
  /** The body for one notification, unsigned, no larger than the service takes. */
  readonly message: (
    settings: Settings,
    notification: Notification,
    render: (shown: Notification) => Rendering,
  ) => string;
};

/** An integration that sends to one or several robots of a service. */
export function robotReceiver<Settings extends RobotSettings>(
  { settings, http, sendResolved }: IntegrationSettings<string, Settings>,
  options: BuildOptions,
  { protocol, message }: RobotService<Settings>,
): Integration {
  const sender = new RobotSender(settings.robots, http, protocol, options);
  const render = (shown: Notification): Rendering => new Rendering(options.templates, shown);
  return {
    receiver: options.receiver,
    sendResolved,
    send: (notification, signal) => sender.send(message(settings, notification, render), signal),
  };
}
