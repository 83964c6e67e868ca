import type { Integration } from '../../integration.ts';
import type { BuildOptions } from '../build-options.ts';
import { codedRefusal, IS_NOT_ALLOWED, IS_TOO_FAST } from '../robots/coded-refusal.ts';
import { robotReceiver } from '../robots/robot-receiver.ts';
import type { RobotProtocol } from '../robots/robot-sender.ts';
import type { FeishuConfig } from './config.ts';
import { feishuMessage } from './message.ts';
import { signedBody } from './signature.ts';

const FEISHU_PROTOCOL: RobotProtocol = {
  name: 'feishu',
  limit: {
    windows: [
      { count: 100, lengthMs: 61_000 },
      { count: 5, lengthMs: 1_100 },
    ],
    restMs: 30_000,
  },
  sign: (message, { url, secret }, nowMs) => ({ url, body: signedBody(message, secret, nowMs) }),
  refusal: codedRefusal({
    service: 'Feishu',
    // Older robots answer StatusCode in place of code.
    codes: ['code', 'StatusCode'],
    texts: ['msg', 'StatusMessage'],
    meanings: {
      '11232': IS_TOO_FAST,
      '230020': IS_TOO_FAST,
      '19001': IS_NOT_ALLOWED,
      '19021': IS_NOT_ALLOWED,
      '19022': IS_NOT_ALLOWED,
      '19024': IS_NOT_ALLOWED,
    },
  }),
};

/** Sends to one or several robots of groups in Feishu or Lark. */
export const feishu = (config: FeishuConfig, options: BuildOptions): Integration =>
  robotReceiver(config, options, { protocol: FEISHU_PROTOCOL, message: feishuMessage });
