import { type Decoded, type Decoder, integer, object, optional, refuse } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import {
  atMostOne,
  flag,
  hidden,
  httpUrl,
  type IntegrationSettings,
  isGiven,
  sharedFields,
  text,
} from '../fields.ts';

const own = {
  api_url: optional(httpUrl, ''),
  bot_token: hidden(),
  bot_token_file: text(),
  chat_id: optional(integer, 0),
  chat_id_file: text(),
  message_thread_id: optional(integer, 0),
  message: text('{{ template "telegram.default.message" . }}'),
  disable_notifications: flag(),
  parse_mode: text('HTML'),
} as const;

export type TelegramConfig = IntegrationSettings<'telegram', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const telegramConfig =
  (global: GlobalConfig): Decoder<TelegramConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    const own = [read.bot_token, read.bot_token_file] as const;
    atMostOne(node, path, ['bot_token', 'bot_token_file'], own);
    if (read.chat_id === 0 && read.chat_id_file === '') {
      refuse(node, path, 'missing chat_id or chat_id_file on telegram_config');
    }
    if (read.chat_id !== 0 && read.chat_id_file !== '') {
      refuse(node, path, 'at most one of chat_id & chat_id_file must be configured');
    }
    if (!['', 'Markdown', 'MarkdownV2', 'HTML'].includes(read.parse_mode)) {
      refuse(
        node,
        path,
        'unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string',
      );
    }
    const hasOwn = isGiven(own[0]) || own[1] !== '';
    const token = hasOwn ? read.bot_token : global.telegram_bot_token;
    const file = hasOwn ? read.bot_token_file : global.telegram_bot_token_file;
    if (!isGiven(token) && file === '') {
      refuse(node, path, 'missing bot_token or bot_token_file on telegram_config');
    }
    const api_url = read.api_url === '' ? global.telegram_api_url : read.api_url;
    return {
      kind: 'telegram',
      sendResolved: send_resolved,
      http: http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG,
      settings: { ...read, api_url, bot_token: token, bot_token_file: file },
    };
  };
