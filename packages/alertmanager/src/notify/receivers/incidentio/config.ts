import {
  type Decoded,
  type Decoder,
  nonNegativeInteger,
  object,
  optional,
  refuse,
} from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import {
  atMostOne,
  goDuration,
  hidden,
  httpUrl,
  type IntegrationSettings,
  isGiven,
  sharedFields,
  text,
} from '../fields.ts';

const own = {
  url: optional(httpUrl, ''),
  url_file: text(),
  alert_source_token: hidden(),
  alert_source_token_file: text(),
  max_alerts: optional(nonNegativeInteger, 0),
  timeout: optional(goDuration, 0),
} as const;

export type IncidentioConfig = IntegrationSettings<'incidentio', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const incidentioConfig =
  (global: GlobalConfig): Decoder<IncidentioConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    if (read.url === '' && read.url_file === '') {
      refuse(node, path, 'one of url or url_file must be configured');
    }
    atMostOne(node, path, ['url', 'url_file'], [read.url, read.url_file]);
    const token = [read.alert_source_token, read.alert_source_token_file] as const;
    atMostOne(node, path, ['alert_source_token', 'alert_source_token_file'], token);
    const hasToken = isGiven(token[0]) || token[1] !== '';
    if (http_config !== null && http_config.authorization !== null && hasToken) {
      refuse(
        node,
        path,
        'cannot specify alert_source_token or alert_source_token_file when using http_config.authorization',
      );
    }
    if (http_config !== null && http_config.authorization === null && !hasToken) {
      refuse(
        node,
        path,
        'at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured',
      );
    }
    const http = http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG;
    return { kind: 'incidentio', sendResolved: send_resolved, http, settings: read };
  };
