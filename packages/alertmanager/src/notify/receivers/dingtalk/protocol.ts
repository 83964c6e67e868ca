import type { FailureReason } from '../../../errors.ts';
import type { RobotProtocol } from '../robots/robot-sender.ts';
import { signedUrl } from './signature.ts';

type Meaning = { readonly retry: boolean; readonly reason: FailureReason };

/** What the service's codes mean for another attempt; any other code is final. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '-1': { retry: true, reason: 'serverError' },
  '130101': { retry: true, reason: 'rateLimited' },
  '410100': { retry: true, reason: 'rateLimited' },
  '300001': { retry: false, reason: 'authError' },
  '310000': { retry: false, reason: 'authError' },
  '400101': { retry: false, reason: 'authError' },
  '400102': { retry: false, reason: 'authError' },
};

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
  refusal: (fields) => {
    if (fields === null || !('errcode' in fields)) {
      const message = 'the answer is none of DingTalk; is a proxy in between?';
      return { code: 'none', message, retry: true, reason: 'other' };
    }
    if (fields.errcode === 0) return null;
    const code = String(fields.errcode);
    const errmsg = String(fields.errmsg ?? '').slice(0, 500);
    const meaning = MEANINGS[code] ?? { retry: false, reason: 'clientError' };
    return { code, message: `errcode ${code}: ${errmsg}`, ...meaning };
  },
};
