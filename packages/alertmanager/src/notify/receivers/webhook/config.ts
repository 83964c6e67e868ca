import {
  boolean,
  type ConfigNode,
  type Decoder,
  nonNegativeInteger,
  nullable,
  object,
  optional,
  parsed,
  raw,
  refuse,
  Secret,
  secret,
  string,
} from '@pollux/config';
import { type ClientConfig, clientConfig } from '@pollux/http';
import { parseDuration } from '@pollux/model';

export type WebhookConfig = {
  readonly kind: 'webhook';
  readonly sendResolved: boolean;
  /** Null takes the global one. */
  readonly http: ClientConfig | null;
  /** A template. */
  readonly url: Secret;
  readonly urlFile: string;
  /** 0 for no limit. */
  readonly maxAlerts: number;
  /** 0 for the flush's own limit. */
  readonly timeoutMs: number;
  /** Sent in place of the version 4 message; every string in it is a template. */
  readonly payload: ConfigNode | null;
};

const fields = object({
  send_resolved: optional(boolean, true),
  http_config: optional(nullable(clientConfig), null),
  url: optional(secret, new Secret('')),
  url_file: optional(string, ''),
  max_alerts: optional(nonNegativeInteger, 0),
  timeout: optional(parsed(parseDuration), 0),
  payload: optional(nullable(raw), null),
});

export const webhookConfig: Decoder<WebhookConfig> = (node, path, context) => {
  const read = fields(node, path, context);
  const url = read.url.reveal();
  if (url === '' && read.url_file === '') {
    refuse(node, path, 'one of url or url_file must be configured');
  }
  if (url !== '' && read.url_file !== '') {
    refuse(node, path, 'at most one of url & url_file must be configured');
  }
  if (url !== '' && !url.includes('{{')) checkHttpUrl(node, path, url);
  return {
    kind: 'webhook',
    sendResolved: read.send_resolved,
    http: read.http_config,
    url: read.url,
    urlFile: read.url_file,
    maxAlerts: read.max_alerts,
    timeoutMs: read.timeout,
    payload: read.payload,
  };
};

/** The address itself is not quoted: it may hold a token. */
export function checkHttpUrl(node: ConfigNode, path: string, url: string): void {
  const scheme = URL.canParse(url) ? new URL(url).protocol : '';
  if (scheme !== 'http:' && scheme !== 'https:') {
    refuse(node, path, 'the url must be absolute and its scheme http or https');
  }
}
