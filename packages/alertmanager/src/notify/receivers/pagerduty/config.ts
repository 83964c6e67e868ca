import {
  type Decoded,
  type Decoder,
  list,
  nullable,
  object,
  optional,
  raw,
  record,
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

/** Filled in beside what the file gives. */
export const DEFAULT_DETAILS: Readonly<Record<string, string>> = {
  firing: '{{ .Alerts.Firing | toJson }}',
  resolved: '{{ .Alerts.Resolved | toJson }}',
  num_firing: '{{ .Alerts.Firing | len }}',
  num_resolved: '{{ .Alerts.Resolved | len }}',
};

const own = {
  service_key: hidden(),
  service_key_file: text(),
  routing_key: hidden(),
  routing_key_file: text(),
  url: optional(httpUrl, ''),
  client: text('{{ template "pagerduty.default.client" . }}'),
  client_url: text('{{ template "pagerduty.default.clientURL" . }}'),
  description: text('{{ template "pagerduty.default.description" .}}'),
  details: optional(nullable(record(raw)), {}),
  images: optional(list(object({ src: text(), alt: text(), href: text() })), []),
  links: optional(list(object({ href: text(), text: text() })), []),
  source: text(),
  severity: text(),
  class: text(),
  component: text(),
  group: text(),
  timeout: optional(goDuration, 0),
} as const;

type Read = Decoded<typeof own>;
export type PagerdutyConfig = IntegrationSettings<
  'pagerduty',
  Omit<Read, 'details'> & { readonly details: NonNullable<Read['details']> }
>;

const fields = object({ ...sharedFields(true), ...own });

export const pagerdutyConfig =
  (global: GlobalConfig): Decoder<PagerdutyConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    const keys = [
      isGiven(read.routing_key),
      isGiven(read.service_key),
      read.routing_key_file !== '',
      read.service_key_file !== '',
    ];
    if (!keys.includes(true)) {
      refuse(node, path, 'missing service or routing key in PagerDuty config');
    }
    const routing = [read.routing_key, read.routing_key_file] as const;
    const service = [read.service_key, read.service_key_file] as const;
    atMostOne(node, path, ['routing_key', 'routing_key_file'], routing);
    atMostOne(node, path, ['service_key', 'service_key_file'], service);
    const url = read.url === '' ? global.pagerduty_url : read.url;
    if (url === '') refuse(node, path, 'no global PagerDuty URL set');
    const defaults = Object.fromEntries(
      Object.entries(DEFAULT_DETAILS).map(([name, value]) => [
        name,
        { kind: 'scalar', place: node.place, text: value, value, isQuoted: true } as const,
      ]),
    );
    return {
      kind: 'pagerduty',
      sendResolved: send_resolved,
      http: http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG,
      settings: {
        ...read,
        url,
        source: read.source === '' ? read.client : read.source,
        details: { ...defaults, ...read.details },
      },
    };
  };
