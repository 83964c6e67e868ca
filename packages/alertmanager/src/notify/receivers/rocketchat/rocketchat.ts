import type { StopSignal } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';
import { goJson, withoutEmpty } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkStatus, jsonObject, ReceiverHttp, secretOf } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInRunes } from '../truncate.ts';
import type { RocketchatConfig } from './config.ts';

const MAX_TITLE_RUNES = 1024;

/** A message in a Rocket.Chat channel, by its REST interface. */
export function rocketchat(config: RocketchatConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const { files } = options.env;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const { text } = new Rendering(options.templates, notification);
    const title = truncateInRunes(text(settings.title), MAX_TITLE_RUNES);
    if (title.isCut) {
      options.log.warn('Truncated title', {
        group_key: notification.groupKey,
        max_runes: MAX_TITLE_RUNES,
      });
    }
    const channel = text(settings.channel);
    const body = withoutEmpty({
      channel,
      emoji: text(settings.emoji),
      avatar: text(settings.icon_url),
      attachments: [attachment(settings, title.text, text)],
    });
    const token = secretOf(files, settings.token, settings.token_file);
    const tokenId = secretOf(files, settings.token_id, settings.token_id_file);
    const url = new URL(settings.api_url);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/api/v1/chat.postMessage`;
    const answer = await http.json({
      url: url.toString(),
      headers: { 'x-auth-token': token, 'x-user-id': tokenId },
      body: goJson(body),
      signal,
      secrets: [token, tokenId],
    });
    const prefix = `channel "${channel}": `;
    checkStatus(answer, { prefix });
    // Refusals come with status 200 too.
    const verdict = jsonObject(answer);
    if (verdict === null) {
      const shown = answer.mask(answer.text.slice(0, 500));
      const message = `${prefix}could not unmarshal JSON response "${shown}"`;
      throw new DeliveryError(message, { retry: true, reason: 'clientError' });
    }
    if (verdict.success !== true) {
      const shown = answer.mask(String(verdict.error ?? ''));
      const message = `${prefix}error response from Rocketchat: ${shown}`;
      throw new DeliveryError(message, { retry: false, reason: 'clientError' });
    }
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

function attachment(
  settings: RocketchatConfig['settings'],
  title: string,
  text: Rendering['text'],
): Record<string, unknown> {
  return withoutEmpty({
    title,
    title_link: text(settings.title_link),
    text: text(settings.text),
    image_url: text(settings.image_url),
    thumb_url: text(settings.thumb_url),
    color: text(settings.color),
    fields: settings.fields.map((field) => ({
      short: field.short ?? settings.short_fields,
      ...withoutEmpty({ title: text(field.title), value: text(field.value) }),
    })),
    actions: settings.actions.map((action) => ({
      // Only buttons exist.
      type: 'button',
      is_webview: false,
      msg_in_chat_window: false,
      ...withoutEmpty({ text: text(action.text), url: text(action.url), msg: text(action.msg) }),
    })),
  });
}
