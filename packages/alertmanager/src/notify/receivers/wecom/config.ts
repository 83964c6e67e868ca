import { type Decoded, type Decoder, list, object, oneOf, optional } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import {
  hidden,
  httpUrl,
  type IntegrationSettings,
  NO_SECRET,
  sharedFields,
  text,
} from '../fields.ts';
import {
  type RobotAddress,
  robotFields,
  robotsOf,
  type TokenForm,
  withParameter,
} from '../robots/address.ts';
import { mention, NO_MENTION } from '../robots/mentions.ts';

const API_URL = 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send';

const { url, url_file } = robotFields;

const own = {
  mention: optional(mention, NO_MENTION),
  message_type: optional(oneOf('markdown', 'text'), 'markdown'),
  text: text('{{ template "dingtalk.default.text" . }}'),
} as const;

export type WecomSettings = Decoded<typeof own> & { readonly robots: readonly RobotAddress[] };

/** `wecom_configs:`, robots of groups in WeCom; an extension of this program. (`wechat_configs` are apps.) */
export type WecomConfig = IntegrationSettings<'wecom', WecomSettings>;

const fields = object({
  ...sharedFields(true),
  url,
  url_file,
  key: hidden(),
  api_url: optional(httpUrl, API_URL),
  robots: optional(list(object({ url, url_file, key: hidden() })), []),
  ...own,
});

export const wecomConfig =
  (global: GlobalConfig): Decoder<WecomConfig> =>
  (node, path, context) => {
    const read = fields(node, path, context);
    const form: TokenForm = {
      name: 'key',
      urlOf: (key) => withParameter(read.api_url, 'key', key),
    };
    const robots = [read, ...read.robots].map((robot) => ({
      url: robot.url,
      url_file: robot.url_file,
      secret: NO_SECRET,
      secret_file: '',
      token: robot.key,
    }));
    const { mention: whom, message_type, text: template } = read;
    return {
      kind: 'wecom',
      sendResolved: read.send_resolved,
      http: read.http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG,
      settings: {
        mention: whom,
        message_type,
        text: template,
        robots: robotsOf(node, path, form, robots),
      },
    };
  };
