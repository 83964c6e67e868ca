import type { StopSignal } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';
import { goJson, withoutEmpty } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import {
  jsonObject,
  ReceiverHttp,
  readSecretFile,
  reasonOfStatus,
  secretOf,
} from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInRunes } from '../truncate.ts';
import type { TelegramConfig } from './config.ts';

const MAX_MESSAGE_RUNES = 4096;
/** Markup cannot be cut without breaking it; the wording (and its indentation) is upstream's. */
const TOO_LONG = `Alertmanager notification could not be sent: message length exceeds Telegram limits.
\t\t\tPlease check the template used for producing the message content.`;

/** A message of a Telegram bot. All failures may be tried again, as upstream does. */
export function telegram(config: TelegramConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const { files } = options.env;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const message = messageOf(notification);
    const token = secretOf(files, settings.bot_token, settings.bot_token_file);
    const body = {
      chat_id: chatId(),
      text: message,
      ...withoutEmpty({
        message_thread_id:
          settings.message_thread_id === 0 ? '' : String(settings.message_thread_id),
        disable_notification: settings.disable_notifications ? 'true' : '',
        disable_web_page_preview: 'true',
        parse_mode: settings.parse_mode,
      }),
    };
    const answer = await http.json({
      url: `${settings.api_url}/bot${token}/sendMessage`,
      body: goJson(body),
      signal,
      secrets: [token],
    });
    const verdict = jsonObject(answer);
    if (verdict?.ok === true) return;
    const code = typeof verdict?.error_code === 'number' ? verdict.error_code : answer.status;
    const description = String(verdict?.description ?? 'the answer is none of Telegram');
    throw new DeliveryError(`telegram: ${answer.mask(description).slice(0, 500)} (${code})`, {
      retry: true,
      reason: reasonOfStatus(code),
    });
  }

  function messageOf(notification: Notification): string {
    const rendering = new Rendering(options.templates, notification);
    if (settings.parse_mode === 'HTML') {
      const whole = rendering.html(settings.message);
      return truncateInRunes(whole, MAX_MESSAGE_RUNES).isCut ? TOO_LONG : whole;
    }
    const cut = truncateInRunes(rendering.text(settings.message), MAX_MESSAGE_RUNES);
    if (cut.isCut) {
      options.log.warn('Truncated message', {
        group_key: notification.groupKey,
        max_runes: MAX_MESSAGE_RUNES,
      });
    }
    return cut.text;
  }

  function chatId(): string {
    if (settings.chat_id_file === '') return String(settings.chat_id);
    const written = readSecretFile(files, settings.chat_id_file);
    if (/^-?\d+$/.test(written)) return written;
    throw new DeliveryError(`could not parse chat_id from ${settings.chat_id_file}`, {
      retry: true,
    });
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}
