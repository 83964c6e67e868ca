import type { StopSignal } from '@pollux/base';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkStatus, ReceiverHttp, secretOf } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInRunes } from '../truncate.ts';
import type { PushoverConfig } from './config.ts';

const API_URL = 'https://api.pushover.net/1/messages.json';
const MAX_TITLE_RUNES = 250;
const MAX_MESSAGE_RUNES = 1024;
const MAX_URL_RUNES = 512;

/** A push message to phones; the service wants everything in the address. */
export function pushover(config: PushoverConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const { files } = options.env;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const rendering = new Rendering(options.templates, notification);
    const { text } = rendering;
    const token = text(secretOf(files, settings.token, settings.token_file));
    const user = text(secretOf(files, settings.user_key, settings.user_key_file));
    const cut = (whole: string, what: string, limit: number): string => {
      const { text: kept, isCut } = truncateInRunes(whole, limit);
      const { groupKey } = notification;
      if (isCut) options.log.warn(`Truncated ${what}`, { incident: groupKey, max_runes: limit });
      return kept;
    };
    const written = settings.html ? rendering.html(settings.message) : text(settings.message);
    const message = cut(written, 'message', MAX_MESSAGE_RUNES).trim();
    const seconds = (ms: number): string => String(Math.trunc(ms / 1000));
    const parameters = new URLSearchParams({
      token,
      user,
      title: cut(text(settings.title), 'title', MAX_TITLE_RUNES),
      // The service refuses messages without a text.
      message: message === '' ? '(no details)' : message,
      url: cut(text(settings.url), 'URL', MAX_URL_RUNES),
      url_title: text(settings.url_title),
      priority: text(settings.priority),
      retry: seconds(settings.retry),
      expire: seconds(settings.expire),
      device: text(settings.device),
      sound: text(settings.sound),
      ...(settings.html ? { html: '1' } : {}),
      ...(settings.monospace ? { monospace: '1' } : {}),
      ...(settings.ttl >= 1000 ? { ttl: seconds(settings.ttl) } : {}),
    });
    parameters.sort();
    const answer = await http.send({
      url: `${API_URL}?${parameters.toString()}`,
      headers: { 'content-type': 'text/plain' },
      signal,
      secrets: [token, user],
    });
    checkStatus(answer);
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}
