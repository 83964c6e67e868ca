import { type Decoded, type Decoder, list, object, oneOf, optional } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { hidden, httpUrl, type IntegrationSettings, sharedFields, text } from '../fields.ts';
import { type RobotAddress, robotFields, robotsOf } from '../robots/address.ts';
import { mention, NO_MENTION } from '../robots/mentions.ts';

/** Lark outside China: https://open.larksuite.com/open-apis/bot/v2/hook/ */
const API_URL = 'https://open.feishu.cn/open-apis/bot/v2/hook/';

const own = {
  mention: optional(mention, NO_MENTION),
  message_type: optional(oneOf('interactive', 'post', 'text'), 'interactive'),
  title: text('{{ template "dingtalk.default.title" . }}'),
  text: text('{{ template "dingtalk.default.text" . }}'),
  button_title: text('Alertmanager'),
  button_url: text('{{ template "__alertmanagerURL" . }}'),
} as const;

export type FeishuSettings = Decoded<typeof own> & { readonly robots: readonly RobotAddress[] };

/** `feishu_configs:`, robots of groups in Feishu and Lark; an extension of this program. */
export type FeishuConfig = IntegrationSettings<'feishu', FeishuSettings>;

const fields = object({
  ...sharedFields(true),
  ...robotFields,
  token: hidden(),
  api_url: optional(httpUrl, API_URL),
  robots: optional(list(object({ ...robotFields, token: hidden() })), []),
  ...own,
});

export const feishuConfig =
  (global: GlobalConfig): Decoder<FeishuConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, robots, api_url, token, ...read } = fields(
      node,
      path,
      context,
    );
    const { url, url_file, secret, secret_file, ...settings } = read;
    const form = { name: 'token', urlOf: (id: string) => `${api_url.replace(/\/$/, '')}/${id}` };
    return {
      kind: 'feishu',
      sendResolved: send_resolved,
      http: http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG,
      settings: {
        ...settings,
        robots: robotsOf(node, path, form, [
          { url, url_file, secret, secret_file, token },
          ...robots,
        ]),
      },
    };
  };
