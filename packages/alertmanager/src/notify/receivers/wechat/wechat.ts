import type { StopSignal } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';
import { goJson, withoutEmpty } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { jsonObject, ReceiverHttp, reasonOfStatus, secretOf } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import type { WechatConfig } from './config.ts';

/** The service's tokens live two hours. */
const TOKEN_LIFE_MS = 2 * 3_600_000;
const TOKEN_EXPIRED = 42001;

/** Messages of an enterprise's own app in WeCom. (Robots of groups are another receiver.) */
export function wechat(config: WechatConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const { env } = options;
  const http = new ReceiverHttp(config.http, options);
  let token = '';
  let tokenAtMs = 0;

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const rendering = new Rendering(options.templates, notification);
    const { text } = rendering;
    if (token === '' || env.clock.monotonic() - tokenAtMs > TOKEN_LIFE_MS) {
      token = await fetchToken(rendering, signal);
      tokenAtMs = env.clock.monotonic();
    }
    const content = { content: text(settings.message) };
    const isMarkdown = settings.message_type === 'markdown';
    const body = {
      // Both parts are always there, the unused one empty: what upstream sends.
      text: isMarkdown ? { content: '' } : content,
      ...withoutEmpty({
        touser: text(settings.to_user),
        toparty: text(settings.to_party),
        totag: text(settings.to_tag),
        agentid: text(settings.agent_id),
        safe: '0',
        msgtype: settings.message_type,
      }),
      markdown: isMarkdown ? content : { content: '' },
    };
    const url = new URL(settings.api_url);
    url.pathname += 'message/send';
    url.searchParams.set('access_token', token);
    const answer = await http.json({
      url: url.toString(),
      body: goJson(body),
      signal,
      secrets: [token],
    });
    if (answer.status !== 200) {
      throw new DeliveryError(`unexpected status code ${answer.status}`, {
        retry: true,
        reason: reasonOfStatus(answer.status),
      });
    }
    const verdict = jsonObject(answer);
    if (verdict === null) throw new DeliveryError('the answer is no JSON', { retry: true });
    const code = verdict.errcode ?? 0;
    if (code === 0) return;
    const isExpired = code === TOKEN_EXPIRED;
    if (isExpired) token = '';
    const message = answer.mask(String(verdict.errmsg ?? '')).slice(0, 500);
    throw new DeliveryError(`errcode ${String(code)}: ${message}`, { retry: isExpired });
  }

  async function fetchToken({ text }: Rendering, signal: StopSignal): Promise<string> {
    const secret = text(secretOf(env.files, settings.api_secret, settings.api_secret_file));
    const url = new URL(settings.api_url);
    url.pathname += 'gettoken';
    url.search = new URLSearchParams({
      corpid: text(settings.corp_id),
      corpsecret: secret,
    }).toString();
    const answer = await http.send({
      method: 'GET',
      url: url.toString(),
      signal,
      secrets: [secret],
    });
    const fields = jsonObject(answer);
    if (fields === null) {
      throw new DeliveryError(`no token: the answer (status ${answer.status}) is no JSON`, {
        retry: answer.status >= 500,
      });
    }
    if (typeof fields.access_token !== 'string' || fields.access_token === '') {
      throw new DeliveryError(`invalid APISecret for CorpID: ${settings.corp_id}`, {
        retry: false,
      });
    }
    return fields.access_token;
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}
