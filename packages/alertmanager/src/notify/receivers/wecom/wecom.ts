import type { FailureReason } from '../../../errors.ts';
import type { Integration } from '../../integration.ts';
import type { BuildOptions } from '../build-options.ts';
import { Rendering } from '../rendering.ts';
import { type RobotProtocol, RobotSender } from '../robots/robot-sender.ts';
import type { WecomConfig } from './config.ts';
import { wecomMessage } from './message.ts';

type Meaning = { readonly retry: boolean; readonly reason: FailureReason };

/** What the service's codes mean for another attempt; any other code is final. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '-1': { retry: true, reason: 'serverError' },
  '45009': { retry: true, reason: 'rateLimited' },
  '45033': { retry: true, reason: 'rateLimited' },
  '93000': { retry: false, reason: 'authError' },
};

const WECOM_PROTOCOL: RobotProtocol = {
  name: 'wecom',
  limit: { windows: [{ count: 20, lengthMs: 61_000 }], restMs: 60_000 },
  // The key in the address is all the authentication there is.
  sign: (message, { url }) => ({ url, body: message }),
  refusal: (fields) => {
    if (fields === null || !('errcode' in fields)) {
      const message = 'the answer is none of WeCom; is a proxy in between?';
      return { code: 'none', message, retry: true, reason: 'other' };
    }
    if (fields.errcode === 0) return null;
    const code = String(fields.errcode);
    const errmsg = String(fields.errmsg ?? '').slice(0, 500);
    const meaning = MEANINGS[code] ?? { retry: false, reason: 'clientError' };
    return { code, message: `errcode ${code}: ${errmsg}`, ...meaning };
  },
};

/** Sends to one or several robots of groups in WeCom. */
export function wecom(config: WecomConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const sender = new RobotSender(settings.robots, config.http, WECOM_PROTOCOL, options);
  return {
    receiver: options.receiver,
    sendResolved: config.sendResolved,
    send: async (notification, signal) => {
      const render = (shown: typeof notification): Rendering =>
        new Rendering(options.templates, shown);
      await sender.send(wecomMessage(settings, notification, render), signal);
    },
  };
}
