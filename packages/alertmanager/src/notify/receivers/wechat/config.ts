import { type Decoded, type Decoder, object, optional, refuse } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import {
  atMostOne,
  hidden,
  httpUrl,
  type IntegrationSettings,
  isGiven,
  sharedFields,
  text,
  withSlash,
} from '../fields.ts';

const own = {
  api_secret: hidden(),
  api_secret_file: text(),
  corp_id: text(),
  message: text('{{ template "wechat.default.message" . }}'),
  api_url: optional(httpUrl, ''),
  to_user: text('{{ template "wechat.default.to_user" . }}'),
  to_party: text('{{ template "wechat.default.to_party" . }}'),
  to_tag: text('{{ template "wechat.default.to_tag" . }}'),
  agent_id: text('{{ template "wechat.default.agent_id" . }}'),
  message_type: text(),
} as const;

export type WechatConfig = IntegrationSettings<'wechat', Decoded<typeof own>>;

const fields = object({ ...sharedFields(false), ...own });

export const wechatConfig =
  (global: GlobalConfig): Decoder<WechatConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    const type = read.message_type === '' ? 'text' : read.message_type;
    if (type !== 'text' && type !== 'markdown') {
      refuse(
        node,
        path,
        `weChat message type "${type}" does not match valid options ^(text|markdown)$`,
      );
    }
    const own = [read.api_secret, read.api_secret_file] as const;
    atMostOne(node, path, ['api_secret', 'api_secret_file'], own);
    const url = read.api_url === '' ? global.wechat_api_url : read.api_url;
    if (url === '') refuse(node, path, 'no global Wechat URL set');
    const hasOwn = isGiven(read.api_secret) || read.api_secret_file !== '';
    const [secret, file] = hasOwn ? own : [global.wechat_api_secret, global.wechat_api_secret_file];
    if (!isGiven(secret) && file === '') {
      refuse(node, path, 'no global Wechat Api Secret set either inline or in a file');
    }
    const corp = read.corp_id === '' ? global.wechat_api_corp_id : read.corp_id;
    if (corp === '') refuse(node, path, 'no global Wechat CorpID set');
    return {
      kind: 'wechat',
      sendResolved: send_resolved,
      http: http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG,
      settings: {
        ...read,
        message_type: type,
        api_url: withSlash(url),
        api_secret: secret,
        api_secret_file: file,
        corp_id: corp,
      },
    };
  };
