import { type Decoded, type Decoder, object } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { type IntegrationSettings, sharedFields, text } from '../fields.ts';
import { checkWebhookUrl, webhookUrlFields } from '../webhook-url.ts';

const own = {
  ...webhookUrlFields,
  content: text(),
  title: text('{{ template "discord.default.title" . }}'),
  message: text('{{ template "discord.default.message" . }}'),
  username: text(),
  avatar_url: text(),
} as const;

export type DiscordConfig = IntegrationSettings<'discord', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const discordConfig =
  (global: GlobalConfig): Decoder<DiscordConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...settings } = fields(node, path, context);
    checkWebhookUrl(node, path, settings);
    const http = http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG;
    return { kind: 'discord', sendResolved: send_resolved, http, settings };
  };
