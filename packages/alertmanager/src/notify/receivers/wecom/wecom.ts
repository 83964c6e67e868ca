import type { Integration } from '../../integration.ts';
import type { BuildOptions } from '../build-options.ts';
import { codedRefusal, IS_BUSY, IS_NOT_ALLOWED, IS_TOO_FAST } from '../robots/coded-refusal.ts';
import { robotReceiver } from '../robots/robot-receiver.ts';
import type { RobotProtocol } from '../robots/robot-sender.ts';
import type { WecomConfig } from './config.ts';
import { wecomMessage } from './message.ts';

const WECOM_PROTOCOL: RobotProtocol = {
  name: 'wecom',
  limit: { windows: [{ count: 20, lengthMs: 61_000 }], restMs: 60_000 },
  // The key in the address is all the authentication there is.
  sign: (message, { url }) => ({ url, body: message }),
  refusal: codedRefusal({
    service: 'WeCom',
    codes: ['errcode'],
    texts: ['errmsg'],
    meanings: {
      '-1': IS_BUSY,
      '45009': IS_TOO_FAST,
      '45033': IS_TOO_FAST,
      '93000': IS_NOT_ALLOWED,
    },
  }),
};

/** Sends to one or several robots of groups in WeCom. */
export const wecom = (config: WecomConfig, options: BuildOptions): Integration =>
  robotReceiver(config, options, { protocol: WECOM_PROTOCOL, message: wecomMessage });
