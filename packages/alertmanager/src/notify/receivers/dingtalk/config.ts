import { type Decoded, type Decoder, list, object, oneOf, optional } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { hidden, httpUrl, type IntegrationSettings, sharedFields, text } from '../fields.ts';
import {
  allRobots,
  type RobotAddress,
  robotAddress,
  robotFields,
  type TokenForm,
} from '../robots/address.ts';
import { mention, NO_MENTION } from '../robots/mentions.ts';

export const DINGTALK_API_URL = 'https://oapi.dingtalk.com/robot/send';

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
  api_url: optional(httpUrl, DINGTALK_API_URL),
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
    const form = (token: TokenForm['token']): TokenForm => ({
      name: 'access_token',
      token,
      urlOf: (given) => withToken(api_url, given),
    });
    const single = { url, url_file, secret, secret_file };
    return {
      kind: 'dingtalk',
      sendResolved: send_resolved,
      http: http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG,
      settings: {
        ...settings,
        robots: allRobots(node, path, 'access_token', [
          robotAddress(node, path, single, form(access_token)),
          ...robots.map((robot) => robotAddress(node, path, robot, form(robot.access_token))),
        ]),
      },
    };
  };

function withToken(address: string, token: string): string {
  const url = new URL(address);
  url.searchParams.set('access_token', token);
  return url.toString();
}
