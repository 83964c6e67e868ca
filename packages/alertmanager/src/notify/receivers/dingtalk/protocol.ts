import { codedRefusal, IS_BUSY, IS_NOT_ALLOWED, IS_TOO_FAST } from '../robots/coded-refusal.ts';
import type { RobotProtocol } from '../robots/robot-sender.ts';
import { signedUrl } from './signature.ts';

/** A DingTalk robot: signature in the address; status 200 for everything, its errcode decides. */
export const DINGTALK_PROTOCOL: RobotProtocol = {
  name: 'dingtalk',
  // A second more than a minute, because the service's clock and ours are not the same. Over it the robot is blocked for
  // about ten minutes.
  limit: { windows: [{ count: 20, lengthMs: 61_000 }], restMs: 60_000 },
  sign: (message, { url, secret }, nowMs) => ({
    url: signedUrl(url, secret, nowMs),
    body: message,
  }),
  refusal: codedRefusal({
    service: 'DingTalk',
    codes: ['errcode'],
    texts: ['errmsg'],
    meanings: {
      '-1': IS_BUSY,
      '130101': IS_TOO_FAST,
      '410100': IS_TOO_FAST,
      '300001': IS_NOT_ALLOWED,
      '310000': IS_NOT_ALLOWED,
      '400101': IS_NOT_ALLOWED,
      '400102': IS_NOT_ALLOWED,
    },
  }),
};
