import type { Clock } from '@pollux/base';
import { feishuSignature } from '../notify/receivers/feishu/signature.ts';
import type { Endpoint } from './fake-net.ts';

const answer = (fields: Readonly<Record<string, unknown>>) => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(fields),
});

type Json = Readonly<Record<string, unknown>>;

function parsed(body: string): Json | null {
  try {
    return JSON.parse(body) as Json;
  } catch {
    return null;
  }
}

/** Counts messages as the services do: more than `count` in any `lengthMs` are refused. */
function limiter(clock: Clock, windows: readonly { count: number; lengthMs: number }[]) {
  const accepted: number[] = [];
  return (): boolean => {
    const nowMs = clock.now();
    const isTooFast = windows.some(
      ({ count, lengthMs }) => accepted.filter((at) => at > nowMs - lengthMs).length >= count,
    );
    if (!isTooFast) accepted.push(nowMs);
    return isTooFast;
  };
}

/** A double of the WeCom robots' endpoint: checks key, kind, size and rate. For tests. */
export function wecomDouble(clock: Clock, key: string): Endpoint {
  const isTooFast = limiter(clock, [{ count: 20, lengthMs: 60_000 }]);
  return ({ url, body }) => {
    if (new URL(url).searchParams.get('key') !== key) {
      return answer({ errcode: 93000, errmsg: 'invalid webhook url' });
    }
    const message = parsed(body);
    const kind = message?.msgtype;
    if (kind !== 'text' && kind !== 'markdown') {
      return answer({ errcode: 40008, errmsg: 'invalid message type' });
    }
    const content = (message?.[kind] as Json | undefined)?.content;
    if (typeof content !== 'string' || content === '') {
      return answer({ errcode: 44004, errmsg: 'empty content' });
    }
    if (Buffer.byteLength(content) > (kind === 'text' ? 2048 : 4096)) {
      return answer({ errcode: 40058, errmsg: 'content exceed max length' });
    }
    if (isTooFast()) return answer({ errcode: 45009, errmsg: 'api freq out of limit' });
    return answer({ errcode: 0, errmsg: 'ok' });
  };
}

/** A double of the Feishu robots' endpoint: checks signature, time, kind, size and rate. For tests. */
export function feishuDouble(clock: Clock, secret: string): Endpoint {
  const isTooFast = limiter(clock, [
    { count: 100, lengthMs: 60_000 },
    { count: 5, lengthMs: 1_000 },
  ]);
  return ({ body }) => {
    const message = parsed(body);
    if (message === null || Buffer.byteLength(body) > 20_000) {
      return answer({ code: 9499, msg: 'Bad Request' });
    }
    const seconds = Number(message.timestamp);
    const isFresh = Math.abs(clock.now() / 1000 - seconds) <= 3600;
    if (!isFresh || message.sign !== feishuSignature(secret, seconds)) {
      return answer({ code: 19021, msg: 'sign match fail or timestamp is not within one hour' });
    }
    const isWhole =
      message.msg_type === 'interactive'
        ? typeof message.card === 'object'
        : ['text', 'post'].includes(String(message.msg_type)) &&
          typeof message.content === 'object';
    if (!isWhole) return answer({ code: 9499, msg: 'Bad Request' });
    if (isTooFast()) return answer({ code: 11232, msg: 'frequency limited' });
    return answer({ code: 0, msg: 'success', data: {} });
  };
}
