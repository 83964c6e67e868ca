import { type Decoded, type Decoder, list, object, oneOf, optional } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { hidden, httpUrl, type IntegrationSettings, sharedFields, text } from '../fields.ts';
import {
  type RobotAddress,
  robotFields,
  robotsOf,
  type TokenForm,
  withParameter,
} from '../robots/address.ts';
import { mention, NO_MENTION } from '../robots/mentions.ts';

const API_URL = 'https://oapi.dingtalk.com/robot/send';

const robotOfList = object({ ...robotFields, access_token: hidden() });

const own = {
  mention: optional(mention, NO_MENTION),
  message_type: optional(oneOf('markdown', 'text', 'actionCard'), 'markdown'),
  title: text('{{ template "dingtalk.default.title" . }}'),
  text: text('{{ template "dingtalk.default.text" . }}'),
  button_title: text('Alertmanager'),
  button_url: text('{{ template "__alertmanagerURL" . }}'),
  // Of an actionCard; in place of the single button.
  buttons: optional(list(object({ title: text(), url: text() })), []),
} as const;

export type DingtalkSettings = Decoded<typeof own> & { readonly robots: readonly RobotAddress[] };

/** `dingtalk_configs:`, an extension of this program; the Go Alertmanager refuses a file that has it. */
export type DingtalkConfig = IntegrationSettings<'dingtalk', DingtalkSettings>;

const fields = object({
  ...sharedFields(true),
  ...robotFields,
  access_token: hidden(),
  api_url: optional(httpUrl, API_URL),
  robots: optional(list(robotOfList), []),
  ...own,
});

export const dingtalkConfig =
  (global: GlobalConfig): Decoder<DingtalkConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, robots, api_url, access_token, ...read } = fields(
      node,
      path,
      context,
    );
    const { url, url_file, secret, secret_file, ...settings } = read;
    const form: TokenForm = {
      name: 'access_token',
      urlOf: (token) => withParameter(api_url, 'access_token', token),
    };
    const single = { url, url_file, secret, secret_file, access_token };
    return {
      kind: 'dingtalk',
      sendResolved: send_resolved,
      http: http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG,
      settings: {
        ...settings,
        robots: robotsOf(
          node,
          path,
          form,
          [single, ...robots].map((robot) => ({ ...robot, token: robot.access_token })),
        ),
      },
    };
  };
