import {
  type ConfigNode,
  type Decoded,
  type Decoder,
  nonNegativeInteger,
  nullable,
  object,
  optional,
  raw,
  refuse,
  Secret,
  string,
} from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import {
  goDuration,
  type IntegrationSettings,
  isGiven,
  NO_SECRET,
  secretUrl,
  sharedFields,
  text,
} from '../fields.ts';

/** A template, or an address that is checked at once. */
const templatedUrl: Decoder<Secret> = (node, path, context) => {
  const written = string(node, path, context);
  return written.includes('{{') ? new Secret(written) : secretUrl(node, path, context);
};

const own = {
  url: optional(templatedUrl, NO_SECRET),
  url_file: text(),
  // 0 for no limit.
  max_alerts: optional(nonNegativeInteger, 0),
  // 0 for the flush's own limit.
  timeout: optional(goDuration, 0),
  // Sent in place of the version 4 message; every string in it is a template.
  payload: optional<ConfigNode | null>(nullable(raw), null),
} as const;

export type WebhookConfig = IntegrationSettings<'webhook', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const webhookConfig =
  (global: GlobalConfig): Decoder<WebhookConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    if (!isGiven(read.url) && read.url_file === '') {
      refuse(node, path, 'one of url or url_file must be configured');
    }
    if (isGiven(read.url) && read.url_file !== '') {
      refuse(node, path, 'at most one of url & url_file must be configured');
    }
    const http = http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG;
    return { kind: 'webhook', sendResolved: send_resolved, http, settings: read };
  };
