import { dirname, isAbsolute, join } from 'node:path';
import {
  boolean,
  type ConfigNode,
  type Decoder,
  list,
  nonEmptyString,
  object,
  oneOf,
  optional,
  refuse,
  Secret,
  secret,
  string,
} from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { httpUrl, type IntegrationSettings, secretUrl, sharedFields } from '../fields.ts';

export const DINGTALK_API_URL = 'https://oapi.dingtalk.com/robot/send';

export type DingtalkMessageType = 'markdown' | 'text' | 'actionCard';

/** `dingtalk_configs:`, an extension of this program; the Go Alertmanager refuses a file that has it. */
export type DingtalkConfig = IntegrationSettings<'dingtalk', DingtalkSettings>;

export type DingtalkSettings = {
  /** The robot's whole address with its access_token; empty when {@link url_file} is given. */
  readonly url: Secret;
  readonly url_file: string;
  /** Key of the signature; empty for a robot secured by keyword or address list. */
  readonly secret: Secret;
  readonly secret_file: string;
  readonly mention: {
    readonly mobiles: readonly string[];
    readonly user_ids: readonly string[];
    readonly all: boolean;
  };
  readonly message_type: DingtalkMessageType;
  /** Templates. */
  readonly title: string;
  readonly text: string;
  readonly button_title: string;
  readonly button_url: string;
};

const mention = object({
  mobiles: optional(list(nonEmptyString), []),
  user_ids: optional(list(nonEmptyString), []),
  all: optional(boolean, false),
});

const fields = object({
  ...sharedFields(true),
  url: optional(secretUrl, new Secret('')),
  url_file: optional(string, ''),
  access_token: optional(secret, new Secret('')),
  api_url: optional(httpUrl, DINGTALK_API_URL),
  secret: optional(secret, new Secret('')),
  secret_file: optional(string, ''),
  mention: optional(mention, { mobiles: [], user_ids: [], all: false }),
  message_type: optional(oneOf('markdown', 'text', 'actionCard'), 'markdown'),
  title: optional(string, '{{ template "dingtalk.default.title" . }}'),
  text: optional(string, '{{ template "dingtalk.default.text" . }}'),
  button_title: optional(string, 'Alertmanager'),
  button_url: optional(string, '{{ template "__alertmanagerURL" . }}'),
});

export const dingtalkConfig =
  (global: GlobalConfig): Decoder<DingtalkConfig> =>
  (node, path, context) => {
    const read = fields(node, path, context);
    return {
      kind: 'dingtalk',
      sendResolved: read.send_resolved,
      http: read.http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG,
      settings: {
        url: robotUrl(node, path, read),
        url_file: beside(node, read.url_file),
        secret: read.secret,
        secret_file: beside(node, read.secret_file),
        mention: read.mention,
        message_type: read.message_type,
        title: read.title,
        text: read.text,
        button_title: read.button_title,
        button_url: read.button_url,
      },
    };
  };

/**
 * File names of this receiver are relative to the configuration's folder. (Upstream opens those of its own receivers from
 * the working directory, and so do we for them.)
 */
function beside(node: ConfigNode, name: string): string {
  return name === '' || isAbsolute(name) ? name : join(dirname(node.place.file), name);
}

function robotUrl(
  node: ConfigNode,
  path: string,
  read: {
    readonly url: Secret;
    readonly url_file: string;
    readonly access_token: Secret;
    readonly api_url: string;
    readonly secret: Secret;
    readonly secret_file: string;
  },
): Secret {
  if (read.secret.reveal() !== '' && read.secret_file !== '') {
    refuse(node, path, 'at most one of secret & secret_file must be configured');
  }
  const sources = [read.url.reveal(), read.url_file, read.access_token.reveal()];
  if (sources.filter((source) => source !== '').length !== 1) {
    refuse(node, path, 'exactly one of url, url_file & access_token must be configured');
  }
  if (read.url_file !== '') return new Secret('');
  if (read.url.reveal() !== '') return read.url;
  const url = new URL(read.api_url);
  url.searchParams.set('access_token', read.access_token.reveal());
  return new Secret(url.toString());
}
