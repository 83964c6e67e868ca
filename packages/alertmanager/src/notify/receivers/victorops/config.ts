import {
  type Decoded,
  type Decoder,
  object,
  optional,
  record,
  refuse,
  string,
} from '@pollux/config';
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

const RESERVED = [
  'routing_key',
  'message_type',
  'state_message',
  'entity_display_name',
  'monitoring_tool',
  'entity_id',
  'entity_state',
];

const own = {
  api_key: hidden(),
  api_key_file: text(),
  api_url: optional(httpUrl, ''),
  routing_key: text(),
  message_type: text('CRITICAL'),
  state_message: text('{{ template "victorops.default.state_message" . }}'),
  entity_display_name: text('{{ template "victorops.default.entity_display_name" . }}'),
  monitoring_tool: text('{{ template "victorops.default.monitoring_tool" . }}'),
  custom_fields: optional(record(string), {}),
} as const;

export type VictoropsConfig = IntegrationSettings<'victorops', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const victoropsConfig =
  (global: GlobalConfig): Decoder<VictoropsConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    if (read.routing_key === '') refuse(node, path, 'missing Routing key in VictorOps config');
    atMostOne(node, path, ['api_key', 'api_key_file'], [read.api_key, read.api_key_file]);
    for (const name of RESERVED) {
      if (!Object.hasOwn(read.custom_fields, name)) continue;
      refuse(
        node,
        path,
        `victorOps config contains custom field ${name} which cannot be used as it conflicts with the fixed/static fields`,
      );
    }
    const url = read.api_url === '' ? global.victorops_api_url : read.api_url;
    if (url === '') refuse(node, path, 'no global VictorOps URL set');
    const key = isGiven(read.api_key) ? read.api_key : global.victorops_api_key;
    const file = read.api_key_file === '' ? global.victorops_api_key_file : read.api_key_file;
    if (!isGiven(key) && file === '') refuse(node, path, 'no global VictorOps API Key set');
    return {
      kind: 'victorops',
      sendResolved: send_resolved,
      http: http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG,
      settings: { ...read, api_url: withSlash(url), api_key: key, api_key_file: file },
    };
  };
