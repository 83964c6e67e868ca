import { type Decoded, type Decoder, list, object, optional, refuse } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import {
  atMostOne,
  flag,
  hidden,
  httpUrl,
  type IntegrationSettings,
  isGiven,
  sharedFields,
  text,
} from '../fields.ts';
import { messageField } from '../message-field.ts';

/** Keys are those that upstream's decoder makes of its field names. */
const action = object({
  type: text(),
  text: text(),
  url: text(),
  imageurl: text(),
  iswebview: flag(),
  webviewheightratio: text(),
  msg: text(),
  msginchatwindow: flag(),
  msgprocessingtype: text(),
});

const own = {
  api_url: optional(httpUrl, ''),
  token_id: hidden(),
  token_id_file: text(),
  token: hidden(),
  token_file: text(),
  channel: text(),
  color: text('{{ if eq .Status "firing" }}red{{ else }}green{{ end }}'),
  title: text('{{ template "rocketchat.default.title" . }}'),
  title_link: text('{{ template "rocketchat.default.titlelink" . }}'),
  text: text('{{ template "rocketchat.default.text" . }}'),
  fields: optional(list(messageField), []),
  short_fields: flag(),
  emoji: text('{{ template "rocketchat.default.emoji" . }}'),
  icon_url: text('{{ template "rocketchat.default.iconurl" . }}'),
  image_url: text(),
  thumb_url: text(),
  link_names: flag(),
  actions: optional(list(action), []),
} as const;

export type RocketchatConfig = IntegrationSettings<'rocketchat', Decoded<typeof own>>;

const fields = object({ ...sharedFields(false), ...own });

export const rocketchatConfig =
  (global: GlobalConfig): Decoder<RocketchatConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    atMostOne(node, path, ['token', 'token_file'], [read.token, read.token_file]);
    atMostOne(node, path, ['token_id', 'token_id_file'], [read.token_id, read.token_id_file]);
    const settings = {
      ...read,
      api_url: read.api_url === '' ? global.rocketchat_api_url : read.api_url,
      token_id: isGiven(read.token_id) ? read.token_id : global.rocketchat_token_id,
      token_id_file:
        read.token_id_file === '' ? global.rocketchat_token_id_file : read.token_id_file,
      token: isGiven(read.token) ? read.token : global.rocketchat_token,
      token_file: read.token_file === '' ? global.rocketchat_token_file : read.token_file,
    };
    if (!isGiven(settings.token_id) && settings.token_id_file === '') {
      refuse(node, path, 'no global Rocketchat TokenID set either inline or in a file');
    }
    if (!isGiven(settings.token) && settings.token_file === '') {
      refuse(node, path, 'no global Rocketchat Token set either inline or in a file');
    }
    const http = http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG;
    return { kind: 'rocketchat', sendResolved: send_resolved, http, settings };
  };
