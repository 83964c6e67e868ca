import {
  type ConfigNode,
  type Decoded,
  type Decoder,
  list,
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
  flag,
  hidden,
  httpUrl,
  type IntegrationSettings,
  isGiven,
  sharedFields,
  text,
  withSlash,
} from '../fields.ts';

const RESPONDER_TYPES = /^(team|teams|user|escalation|schedule)$/;

const responder = object({ id: text(), name: text(), username: text(), type: text() });

const own = {
  api_key: hidden(),
  api_key_file: text(),
  api_url: optional(httpUrl, ''),
  message: text('{{ template "opsgenie.default.message" . }}'),
  description: text('{{ template "opsgenie.default.description" . }}'),
  source: text('{{ template "opsgenie.default.source" . }}'),
  details: optional(record(string), {}),
  entity: text(),
  responders: optional(list(responder), []),
  actions: text(),
  tags: text(),
  note: text(),
  priority: text(),
  update_alerts: flag(),
} as const;

type Settings = Decoded<typeof own>;
export type OpsgenieConfig = IntegrationSettings<'opsgenie', Settings>;

const fields = object({ ...sharedFields(true), ...own });

export const opsgenieConfig =
  (global: GlobalConfig): Decoder<OpsgenieConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    atMostOne(node, path, ['api_key', 'api_key_file'], [read.api_key, read.api_key_file]);
    for (const one of read.responders) checkResponder(node, path, one);
    const url = read.api_url === '' ? global.opsgenie_api_url : read.api_url;
    if (url === '') refuse(node, path, 'no global OpsGenie URL set');
    const file = read.api_key_file === '' ? global.opsgenie_api_key_file : read.api_key_file;
    const key = isGiven(read.api_key) ? read.api_key : global.opsgenie_api_key;
    if (!isGiven(key) && file === '') {
      refuse(node, path, 'no global OpsGenie API Key set either inline or in a file');
    }
    return {
      kind: 'opsgenie',
      sendResolved: send_resolved,
      http: http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG,
      settings: { ...read, api_url: withSlash(url), api_key: key, api_key_file: file },
    };
  };

function checkResponder(
  node: ConfigNode,
  path: string,
  { id, name, username, type }: Settings['responders'][number],
): void {
  const shown = `{${id} ${name} ${username} ${type}}`;
  if (id === '' && username === '' && name === '') {
    refuse(
      node,
      path,
      `opsGenieConfig responder ${shown} has to have at least one of id, username or name specified`,
    );
  }
  if (type.includes('{{') || RESPONDER_TYPES.test(type.toLowerCase())) return;
  refuse(
    node,
    path,
    `opsGenieConfig responder ${shown} type does not match valid options ${RESPONDER_TYPES.source}`,
  );
}
