import { type Decoded, type Decoder, object, optional, refuse } from '@pollux/config';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { httpUrl, type IntegrationSettings, sharedFields, text } from '../fields.ts';

const own = {
  api_url: optional(httpUrl, ''),
  message: text('{{ template "webex.default.message" . }}'),
  room_id: text(),
} as const;

export type WebexConfig = IntegrationSettings<'webex', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const webexConfig =
  (global: GlobalConfig): Decoder<WebexConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config: http, ...read } = fields(node, path, context);
    if (read.room_id === '') refuse(node, path, 'missing room_id on webex_config');
    if (http === null || http.authorization === null) {
      return refuse(node, path, 'missing webex_configs.http_config.authorization');
    }
    const api_url = read.api_url === '' ? global.webex_api_url : read.api_url;
    if (api_url === '') refuse(node, path, 'no global Webex URL set');
    return { kind: 'webex', sendResolved: send_resolved, http, settings: { ...read, api_url } };
  };
