import type { FailureReason } from '../../../errors.ts';
import type { Integration } from '../../integration.ts';
import type { BuildOptions } from '../build-options.ts';
import { Rendering } from '../rendering.ts';
import { type RobotProtocol, RobotSender } from '../robots/robot-sender.ts';
import type { FeishuConfig } from './config.ts';
import { feishuMessage } from './message.ts';
import { signedBody } from './signature.ts';

type Meaning = { readonly retry: boolean; readonly reason: FailureReason };

/** What the service's codes mean for another attempt; any other code is final. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '11232': { retry: true, reason: 'rateLimited' },
  '230020': { retry: true, reason: 'rateLimited' },
  '19001': { retry: false, reason: 'authError' },
  '19021': { retry: false, reason: 'authError' },
  '19022': { retry: false, reason: 'authError' },
  '19024': { retry: false, reason: 'authError' },
};

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
  refusal: (fields) => {
    // Older robots answer StatusCode in place of code.
    const found = fields?.code ?? fields?.StatusCode;
    if (found === undefined) {
      const message = 'the answer is none of Feishu; is a proxy in between?';
      return { code: 'none', message, retry: true, reason: 'other' };
    }
    if (found === 0) return null;
    const code = String(found);
    const text = String(fields?.msg ?? fields?.StatusMessage ?? '').slice(0, 500);
    const meaning = MEANINGS[code] ?? { retry: false, reason: 'clientError' };
    return { code, message: `code ${code}: ${text}`, ...meaning };
  },
};

/** Sends to one or several robots of groups in Feishu or Lark. */
export function feishu(config: FeishuConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const sender = new RobotSender(settings.robots, config.http, FEISHU_PROTOCOL, options);
  return {
    receiver: options.receiver,
    sendResolved: config.sendResolved,
    send: async (notification, signal) => {
      const render = (shown: typeof notification): Rendering =>
        new Rendering(options.templates, shown);
      await sender.send(feishuMessage(settings, notification, render), signal);
    },
  };
}
