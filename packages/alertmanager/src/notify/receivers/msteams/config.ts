import { type Decoded, type Decoder, object } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { type IntegrationSettings, sharedFields, text } from '../fields.ts';
import { checkWebhookUrl, webhookUrlFields } from '../webhook-url.ts';

const own = {
  ...webhookUrlFields,
  title: text('{{ template "msteams.default.title" . }}'),
  summary: text('{{ template "msteams.default.summary" . }}'),
  text: text('{{ template "msteams.default.text" . }}'),
} as const;

export type MsteamsConfig = IntegrationSettings<'msteams', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const msteamsConfig =
  (global: GlobalConfig): Decoder<MsteamsConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...settings } = fields(node, path, context);
    checkWebhookUrl(node, path, settings);
    const http = http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG;
    return { kind: 'msteams', sendResolved: send_resolved, http, settings };
  };
