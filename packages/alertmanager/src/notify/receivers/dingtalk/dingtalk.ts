import type { Integration } from '../../integration.ts';
import type { BuildOptions } from '../build-options.ts';
import { Rendering } from '../rendering.ts';
import { RobotSender } from '../robots/robot-sender.ts';
import type { DingtalkConfig } from './config.ts';
import { dingtalkMessage } from './message.ts';
import { DINGTALK_PROTOCOL } from './protocol.ts';

/** Sends to one or several DingTalk robots. */
export function dingtalk(config: DingtalkConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const sender = new RobotSender(settings.robots, config.http, DINGTALK_PROTOCOL, options);
  return {
    receiver: options.receiver,
    sendResolved: config.sendResolved,
    send: async (notification, signal) => {
      const render = (shown: typeof notification): Rendering =>
        new Rendering(options.templates, shown);
      await sender.send(dingtalkMessage(settings, notification, render), signal);
    },
  };
}
