import { errorText } from '@pollux/base';
import { DeliveryError, type FailureReason } from '../../../errors.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkStatus, type PostAnswer, postJson, readSecretFile } from '../post.ts';
import type { DingtalkConfig } from './config.ts';
import { dingtalkMessage } from './message.ts';
import { signedUrl } from './signature.ts';

/** The service answers within a second or not at all. */
const TIMEOUT_MS = 10_000;

/** Sends to a DingTalk robot. The service answers 200 to everything; its errcode decides. */
export function dingtalk(config: DingtalkConfig, options: BuildOptions): Integration {
  const { env, templates } = options;
  const errors = options.registry.counters(
    'pollux_alertmanager_dingtalk_errors_total',
    'Messages that DingTalk refused, by its errcode.',
    ['errcode'],
  );

  async function send(notification: Notification, signal: AbortSignal): Promise<void> {
    const url =
      config.urlFile === '' ? config.url.reveal() : readSecretFile(env.files, config.urlFile);
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
      throw new DeliveryError('the url is no http address', { retry: false });
    }
    const secret =
      config.secretFile === ''
        ? config.secret.reveal()
        : readSecretFile(env.files, config.secretFile);
    const body = render(notification);
    const robot = options.robots.of(url);
    await robot.acquire(signal);
    const answer = await postJson({
      net: env.net,
      files: env.files,
      http: config.http ?? options.globalHttp,
      resolvePath: options.resolvePath,
      url: signedUrl(url, secret, env.clock.now()),
      body,
      userAgent: options.userAgent,
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    checkStatus(answer, [429]);
    const refusal = refusalOf(answer);
    if (refusal === null) return;
    errors.with(refusal.errcode).inc();
    if (refusal.error.reason === 'rateLimited') robot.rest();
    throw refusal.error;
  }

  function render(notification: Notification): string {
    try {
      return dingtalkMessage(config, notification, (text, data) => templates.expand(text, data));
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

function refusalOf({ text }: PostAnswer): { errcode: string; error: DeliveryError } | null {
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
