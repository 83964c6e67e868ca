import { InputError } from '@pollux/base';
import {
  boolean,
  type ConfigNode,
  type DecodeContext,
  type Decoded,
  nullable,
  object,
  optional,
  parsed,
  refuse,
  Secret,
  secret,
  string,
} from '@pollux/config';
import { clientConfigFields, httpConfig } from '@pollux/http';
import { parseDuration } from '@pollux/model';
import { httpUrl, NO_SECRET, secretUrl } from '../notify/receivers/fields.ts';

const tlsConfig = clientConfigFields.tls_config.decoder;

/**
 * The whole `global:` block of Alertmanager 0.34: what receivers use that do not say otherwise.
 */
const globalFields = {
  resolve_timeout: optional(parsed(parseDuration), 300_000),
  http_config: optional(nullable(httpConfig), null),
  jira_api_url: optional(httpUrl, ''),
  smtp_from: optional(string, ''),
  smtp_hello: optional(string, 'localhost'),
  smtp_smarthost: optional(parsed(hostPort), ''),
  smtp_auth_username: optional(string, ''),
  smtp_auth_password: optional(secret, NO_SECRET),
  smtp_auth_password_file: optional(string, ''),
  smtp_auth_secret: optional(secret, NO_SECRET),
  smtp_auth_secret_file: optional(string, ''),
  smtp_auth_identity: optional(string, ''),
  smtp_require_tls: optional(boolean, true),
  smtp_tls_config: optional(tlsConfig, null),
  smtp_force_implicit_tls: optional(nullable(boolean), null),
  slack_api_url: optional(secretUrl, NO_SECRET),
  slack_api_url_file: optional(string, ''),
  slack_app_token: optional(secret, NO_SECRET),
  slack_app_token_file: optional(string, ''),
  slack_app_url: optional(httpUrl, 'https://slack.com/api/chat.postMessage'),
  pagerduty_url: optional(httpUrl, 'https://events.pagerduty.com/v2/enqueue'),
  opsgenie_api_url: optional(httpUrl, 'https://api.opsgenie.com/'),
  opsgenie_api_key: optional(secret, NO_SECRET),
  opsgenie_api_key_file: optional(string, ''),
  wechat_api_url: optional(httpUrl, 'https://qyapi.weixin.qq.com/cgi-bin/'),
  wechat_api_secret: optional(secret, NO_SECRET),
  wechat_api_secret_file: optional(string, ''),
  wechat_api_corp_id: optional(string, ''),
  victorops_api_url: optional(
    httpUrl,
    'https://alert.victorops.com/integrations/generic/20131114/alert/',
  ),
  victorops_api_key: optional(secret, NO_SECRET),
  victorops_api_key_file: optional(string, ''),
  telegram_api_url: optional(httpUrl, 'https://api.telegram.org'),
  telegram_bot_token: optional(secret, NO_SECRET),
  telegram_bot_token_file: optional(string, ''),
  webex_api_url: optional(httpUrl, 'https://webexapis.com/v1/messages'),
  rocketchat_api_url: optional(httpUrl, 'https://open.rocket.chat/'),
  rocketchat_token: optional(secret, NO_SECRET),
  rocketchat_token_file: optional(string, ''),
  rocketchat_token_id: optional(secret, NO_SECRET),
  rocketchat_token_id_file: optional(string, ''),
  mattermost_webhook_url: optional(secretUrl, NO_SECRET),
  mattermost_webhook_url_file: optional(string, ''),
} as const;

/** `host:port` as Go splits it; an empty text means none. */
function hostPort(address: string): string {
  if (address === '') return address;
  const port = /^(?:\[[^\]]*\]|[^:[\]]*):(.*)$/.exec(address)?.[1];
  if (port === undefined) {
    const isBare = /^[^:]*$|^\[[^\]]*\]$/.test(address);
    const why = isBare ? 'missing port in address' : 'too many colons in address';
    throw new InputError('ALERTMANAGER.CONFIG', '', `address ${address}: ${why}`);
  }
  if (port === '') {
    throw new InputError('ALERTMANAGER.CONFIG', '', `address "${address}": port cannot be empty`);
  }
  return address;
}

export type GlobalConfig = Decoded<typeof globalFields>;

/** Secrets that may come inline or from a file, never both. */
const EXCLUSIVE: readonly (readonly [keyof GlobalConfig, keyof GlobalConfig])[] = [
  ['smtp_auth_password', 'smtp_auth_password_file'],
  ['smtp_auth_secret', 'smtp_auth_secret_file'],
  ['slack_api_url', 'slack_api_url_file'],
  ['slack_app_token', 'slack_app_token_file'],
  ['opsgenie_api_key', 'opsgenie_api_key_file'],
  ['wechat_api_secret', 'wechat_api_secret_file'],
  ['victorops_api_key', 'victorops_api_key_file'],
  ['telegram_bot_token', 'telegram_bot_token_file'],
  ['rocketchat_token', 'rocketchat_token_file'],
  ['rocketchat_token_id', 'rocketchat_token_id_file'],
  ['mattermost_webhook_url', 'mattermost_webhook_url_file'],
];

export function decodeGlobal(node: ConfigNode, path: string, context: DecodeContext): GlobalConfig {
  const config = object(globalFields)(node, path, context);
  for (const [inline, file] of EXCLUSIVE) {
    const value = config[inline];
    if (value instanceof Secret && value.reveal() !== '' && config[file] !== '') {
      refuse(node, path, `at most one of ${inline} & ${file} must be configured`);
    }
  }
  const slack = config.slack_api_url.reveal() !== '' || config.slack_api_url_file !== '';
  const slackApp = config.slack_app_token.reveal() !== '' || config.slack_app_token_file !== '';
  // Where the address is that of the app, the token was once given by an http_config; both together are no contradiction.
  if (slack && slackApp && config.slack_api_url.reveal() !== config.slack_app_url) {
    refuse(
      node,
      path,
      'at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured',
    );
  }
  return config;
}
