import { dirname, isAbsolute, join } from 'node:path';
import {
  boolean,
  type ConfigNode,
  type Decoder,
  list,
  nonEmptyString,
  nullable,
  object,
  oneOf,
  optional,
  refuse,
  Secret,
  secret,
  string,
} from '@pollux/config';
import { type ClientConfig, clientConfig } from '@pollux/http';
import { checkHttpUrl } from '../webhook/config.ts';

export const DINGTALK_API_URL = 'https://oapi.dingtalk.com/robot/send';

export type DingtalkMessageType = 'markdown' | 'text' | 'actionCard';

/** `dingtalk_configs:`, an extension of this program; the Go Alertmanager refuses a file that has it. */
export type DingtalkConfig = {
  readonly kind: 'dingtalk';
  readonly sendResolved: boolean;
  readonly http: ClientConfig | null;
  /** The robot's whole address with its access_token; empty when {@link urlFile} is given. */
  readonly url: Secret;
  readonly urlFile: string;
  /** Key of the signature; empty for a robot secured by keyword or address list. */
  readonly secret: Secret;
  readonly secretFile: string;
  readonly mention: {
    readonly mobiles: readonly string[];
    readonly userIds: readonly string[];
    readonly all: boolean;
  };
  readonly messageType: DingtalkMessageType;
  /** Templates. */
  readonly title: string;
  readonly text: string;
  readonly buttonTitle: string;
  readonly buttonUrl: string;
};

const mention = object({
  mobiles: optional(list(nonEmptyString), []),
  user_ids: optional(list(nonEmptyString), []),
  all: optional(boolean, false),
});

const fields = object({
  send_resolved: optional(boolean, true),
  http_config: optional(nullable(clientConfig), null),
  url: optional(secret, new Secret('')),
  url_file: optional(string, ''),
  access_token: optional(secret, new Secret('')),
  api_url: optional(string, DINGTALK_API_URL),
  secret: optional(secret, new Secret('')),
  secret_file: optional(string, ''),
  mention: optional(mention, { mobiles: [], user_ids: [], all: false }),
  message_type: optional(oneOf('markdown', 'text', 'actionCard'), 'markdown'),
  title: optional(string, '{{ template "dingtalk.default.title" . }}'),
  text: optional(string, '{{ template "dingtalk.default.text" . }}'),
  button_title: optional(string, 'Alertmanager'),
  button_url: optional(string, '{{ template "__alertmanagerURL" . }}'),
});

export const dingtalkConfig: Decoder<DingtalkConfig> = (node, path, context) => {
  const read = fields(node, path, context);
  return {
    kind: 'dingtalk',
    sendResolved: read.send_resolved,
    http: read.http_config,
    url: robotUrl(node, path, read),
    urlFile: beside(node, read.url_file),
    secret: read.secret,
    secretFile: beside(node, read.secret_file),
    mention: {
      mobiles: read.mention.mobiles,
      userIds: read.mention.user_ids,
      all: read.mention.all,
    },
    messageType: read.message_type,
    title: read.title,
    text: read.text,
    buttonTitle: read.button_title,
    buttonUrl: read.button_url,
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
  if (read.url.reveal() !== '') {
    checkHttpUrl(node, path, read.url.reveal());
    return read.url;
  }
  checkHttpUrl(node, path, read.api_url);
  const url = new URL(read.api_url);
  url.searchParams.set('access_token', read.access_token.reveal());
  return new Secret(url.toString());
}
