import {
  type ConfigNode,
  type Decoded,
  type Decoder,
  list,
  object,
  optional,
  parsed,
  raw,
  record,
  refuse,
  string,
} from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import { parseDuration } from '@pollux/model';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { flag, httpUrl, type IntegrationSettings, sharedFields, text } from '../fields.ts';

/** A text, or a map that also says whether later notifications change it. */
export type JiraField = { readonly template: string; readonly enable_update: boolean };

const jiraField =
  (fallback: string): Decoder<JiraField> =>
  (node: ConfigNode, path, context) =>
    node.kind === 'map'
      ? object({ template: text(fallback), enable_update: flag(true) })(node, path, context)
      : { template: string(node, path, context), enable_update: true };

const SUMMARY = '{{ template "jira.default.summary" . }}';
const DESCRIPTION = '{{ template "jira.default.description" . }}';

const own = {
  api_url: optional(httpUrl, ''),
  api_type: text('auto'),
  project: text(),
  summary: optional(jiraField(SUMMARY), { template: SUMMARY, enable_update: true }),
  description: optional(jiraField(DESCRIPTION), { template: DESCRIPTION, enable_update: true }),
  labels: optional(list(string), []),
  priority: text('{{ template "jira.default.priority" . }}'),
  issue_type: text(),
  reopen_transition: text(),
  resolve_transition: text(),
  wont_fix_resolution: text(),
  reopen_duration: optional(parsed(parseDuration), 0),
  fields: optional(record(raw), {}),
} as const;

export type JiraConfig = IntegrationSettings<'jira', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const jiraConfig =
  (global: GlobalConfig): Decoder<JiraConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    if (read.project === '') refuse(node, path, 'missing project in jira_config');
    if (read.issue_type === '') refuse(node, path, 'missing issue_type in jira_config');
    if (!['auto', 'cloud', 'datacenter'].includes(read.api_type)) {
      refuse(node, path, 'unknown api_type on jira_config, must be auto, cloud or datacenter');
    }
    const api_url = read.api_url === '' ? global.jira_api_url : read.api_url;
    if (api_url === '') refuse(node, path, 'no global Jira Cloud URL set');
    const http = http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG;
    return { kind: 'jira', sendResolved: send_resolved, http, settings: { ...read, api_url } };
  };
