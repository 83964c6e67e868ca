import { errorText } from '@pollux/base';
import { DeliveryError, type FailureReason } from '../../../errors.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import {
  checkedUrl,
  checkStatus,
  type ReceiverAnswer,
  ReceiverHttp,
  secretOf,
} from '../receiver-http.ts';
import type { DingtalkConfig } from './config.ts';
import { dingtalkMessage } from './message.ts';
import { signedUrl } from './signature.ts';

/** The service answers within a second or not at all. */
const TIMEOUT_MS = 10_000;

/** Sends to a DingTalk robot. The service answers 200 to everything; its errcode decides. */
export function dingtalk(config: DingtalkConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const { env, templates } = options;
  const http = new ReceiverHttp(config.http, options);
  const errors = options.registry.counters(
    'pollux_alertmanager_dingtalk_errors_total',
    'Messages that DingTalk refused, by its errcode.',
    ['errcode'],
  );

  async function send(notification: Notification, signal: AbortSignal): Promise<void> {
    const url = checkedUrl(secretOf(env.files, settings.url, settings.url_file));
    const secret = secretOf(env.files, settings.secret, settings.secret_file);
    const body = render(notification);
    const robot = options.robots.of(url);
    await robot.acquire(signal);
    const answer = await http.json({
      url: signedUrl(url, secret, env.clock.now()),
      body,
      timeoutMs: TIMEOUT_MS,
      signal,
      secrets: [url, secret],
    });
    checkStatus(answer, { retryCodes: [429] });
    const refusal = refusalOf(answer);
    if (refusal === null) return;
    errors.with(refusal.errcode).inc();
    if (refusal.error.reason === 'rateLimited') robot.rest();
    throw refusal.error;
  }

  function render(notification: Notification): string {
    try {
      return dingtalkMessage(settings, notification, (text, data) => templates.expand(text, data));
    } catch (error) {
      throw new DeliveryError(`template: ${errorText(error)}`, { retry: false, cause: error });
    }
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

type Meaning = { readonly retry: boolean; readonly reason: FailureReason };

/** What the service's codes mean for another attempt; any other code is final. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '-1': { retry: true, reason: 'serverError' },
  '130101': { retry: true, reason: 'rateLimited' },
  '410100': { retry: true, reason: 'rateLimited' },
  '300001': { retry: false, reason: 'authError' },
  '310000': { retry: false, reason: 'authError' },
};

function refusalOf({ text }: ReceiverAnswer): { errcode: string; error: DeliveryError } | null {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = null;
  }
  if (typeof answer !== 'object' || answer === null || !('errcode' in answer)) {
    const message = 'the answer is none of DingTalk; is a proxy in between?';
    return { errcode: 'none', error: new DeliveryError(message, { retry: true }) };
  }
  if (answer.errcode === 0) return null;
  const errcode = String(answer.errcode);
  const errmsg = 'errmsg' in answer ? String(answer.errmsg).slice(0, 500) : '';
  const meaning = MEANINGS[errcode] ?? { retry: false, reason: 'clientError' };
  return { errcode, error: new DeliveryError(`errcode ${errcode}: ${errmsg}`, meaning) };
}
