import { type Decoded, type Decoder, object } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { type IntegrationSettings, isGiven, sharedFields, text } from '../fields.ts';
import { checkWebhookUrl, webhookUrlFields } from '../webhook-url.ts';

const own = {
  ...webhookUrlFields,
  title: text('{{ template "msteamsv2.default.title" . }}'),
  text: text('{{ template "msteamsv2.default.text" . }}'),
} as const;

export type Msteamsv2Config = IntegrationSettings<'msteamsv2', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const msteamsv2Config =
  (global: GlobalConfig): Decoder<Msteamsv2Config> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...settings } = fields(node, path, context);
    checkWebhookUrl(node, path, settings);
    const shared = global.http_config ?? DEFAULT_HTTP_CONFIG;
    const given = http_config ?? shared;
    // Only here, a block of its own without a proxy takes the global proxy.
    const http = isGiven(given.proxy_url) ? given : { ...given, proxy_url: shared.proxy_url };
    return { kind: 'msteamsv2', sendResolved: send_resolved, http, settings };
  };
