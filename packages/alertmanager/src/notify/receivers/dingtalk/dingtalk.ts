import type { Integration } from '../../integration.ts';
import type { BuildOptions } from '../build-options.ts';
import { robotReceiver } from '../robots/robot-receiver.ts';
import type { DingtalkConfig } from './config.ts';
import { dingtalkMessage } from './message.ts';
import { DINGTALK_PROTOCOL } from './protocol.ts';

/** Sends to one or several DingTalk robots. */
export const dingtalk = (config: DingtalkConfig, options: BuildOptions): Integration =>
  robotReceiver(config, options, { protocol: DINGTALK_PROTOCOL, message: dingtalkMessage });
