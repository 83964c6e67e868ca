import {
  type ConfigNode,
  type Decoded,
  type Decoder,
  list,
  nullable,
  object,
  optional,
  refuse,
  string,
} from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import {
  flag,
  goDuration,
  hidden,
  httpUrl,
  type IntegrationSettings,
  isGiven,
  NO_SECRET,
  secretUrl,
  sharedFields,
  text,
} from '../fields.ts';
import { wholeMessageField } from '../message-field.ts';

/** The only address whose messages can be changed afterwards. */
export const POST_MESSAGE_URL = 'https://slack.com/api/chat.postMessage';

const confirmFields = object({
  text: text(),
  title: text(),
  ok_text: text(),
  dismiss_text: text(),
});

const confirm: Decoder<ReturnType<typeof confirmFields>> = (node, path, context) => {
  const read = confirmFields(node, path, context);
  if (read.text === '') refuse(node, path, 'missing text in Slack confirmation configuration');
  return read;
};

const actionFields = object({
  type: text(),
  text: text(),
  url: text(),
  style: text(),
  name: text(),
  value: text(),
  confirm: optional(nullable(confirm), null),
});

const action: Decoder<ReturnType<typeof actionFields>> = (node, path, context) => {
  const read = actionFields(node, path, context);
  if (read.type === '') refuse(node, path, 'missing type in Slack action configuration');
  if (read.text === '') refuse(node, path, 'missing text in Slack action configuration');
  // A link needs none of what a button of a message has.
  if (read.url !== '') return { ...read, name: '', value: '', confirm: null };
  if (read.name === '') refuse(node, path, 'missing name or url in Slack action configuration');
  return read;
};

const own = {
  api_url: optional(secretUrl, NO_SECRET),
  api_url_file: text(),
  app_token: hidden(),
  app_token_file: text(),
  app_url: optional(httpUrl, ''),
  channel: text(),
  username: text('{{ template "slack.default.username" . }}'),
  color: text('{{ template "slack.default.color" . }}'),
  title: text('{{ template "slack.default.title" . }}'),
  title_link: text('{{ template "slack.default.titlelink" . }}'),
  pretext: text('{{ template "slack.default.pretext" . }}'),
  text: text('{{ template "slack.default.text" . }}'),
  message_text: text(),
  fields: optional(list(wholeMessageField('Slack')), []),
  short_fields: flag(),
  footer: text('{{ template "slack.default.footer" . }}'),
  fallback: text('{{ template "slack.default.fallback" . }}'),
  callback_id: text('{{ template "slack.default.callbackid" . }}'),
  icon_emoji: text('{{ template "slack.default.iconemoji" . }}'),
  icon_url: text('{{ template "slack.default.iconurl" . }}'),
  image_url: text(),
  thumb_url: text(),
  link_names: flag(),
  mrkdwn_in: optional(list(string), []),
  actions: optional(list(action), []),
  update_message: flag(),
  timeout: optional(goDuration, 0),
} as const;

type Settings = Decoded<typeof own>;
export type SlackConfig = IntegrationSettings<'slack', Settings>;

const fields = object({ ...sharedFields(false), ...own });

export const slackConfig =
  (global: GlobalConfig): Decoder<SlackConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    checkOwn(node, path, read);
    const hasAuthorization = http_config !== null && http_config.authorization !== null;
    const settings = withGlobals(read, global, hasAuthorization);
    const hasToken = isGiven(settings.app_token) || settings.app_token_file !== '';
    if (!hasToken && !isGiven(settings.api_url) && settings.api_url_file === '') {
      refuse(node, path, 'no Slack API URL nor App token set either inline or in a file');
    }
    const http = http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG;
    if (hasToken && http.authorization !== null) {
      refuse(node, path, "http authorization can't be set when using Slack App tokens");
    }
    return { kind: 'slack', sendResolved: send_resolved, http, settings };
  };

function checkOwn(node: ConfigNode, path: string, read: Settings): void {
  const hasUrl = isGiven(read.api_url);
  if (hasUrl && read.api_url_file !== '') {
    refuse(node, path, 'at most one of api_url & api_url_file must be configured');
  }
  if (isGiven(read.app_token) && read.app_token_file !== '') {
    refuse(node, path, 'at most one of app_token & app_token_file must be configured');
  }
  const hasToken = isGiven(read.app_token) || read.app_token_file !== '';
  if ((hasUrl || read.api_url_file !== '') && hasToken) {
    refuse(
      node,
      path,
      'at most one of api_url/api_url_file & app_token/app_token_file must be configured',
    );
  }
  if (read.update_message && read.api_url.reveal() !== POST_MESSAGE_URL) {
    refuse(
      node,
      path,
      `update_message can only be used with bot tokens. api_url must be set to ${POST_MESSAGE_URL}`,
    );
  }
}

/** The global token counts only where neither an address nor an authorization of the receiver's own is given. */
function withGlobals(read: Settings, global: GlobalConfig, hasAuthorization: boolean): Settings {
  const takesToken =
    !isGiven(read.app_token) &&
    read.app_token_file === '' &&
    !hasAuthorization &&
    !isGiven(read.api_url);
  const token = takesToken
    ? { app_token: global.slack_app_token, app_token_file: global.slack_app_token_file }
    : { app_token: read.app_token, app_token_file: read.app_token_file };
  const hasToken = isGiven(token.app_token) || token.app_token_file !== '';
  const app_url = read.app_url === '' ? global.slack_app_url : read.app_url;
  // With a token messages go to app_url; api_url beside it would be a file that is refused when it is read again.
  if (hasToken) return { ...read, ...token, app_url, api_url: NO_SECRET, api_url_file: '' };
  const takesUrl = !isGiven(read.api_url) && read.api_url_file === '';
  return {
    ...read,
    ...token,
    app_url,
    api_url: takesUrl ? global.slack_api_url : read.api_url,
    api_url_file: takesUrl ? global.slack_api_url_file : read.api_url_file,
  };
}
