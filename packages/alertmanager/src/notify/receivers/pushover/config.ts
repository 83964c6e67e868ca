import { type Decoded, type Decoder, object, optional, refuse } from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import {
  atMostOne,
  flag,
  goDuration,
  hidden,
  type IntegrationSettings,
  isGiven,
  sharedFields,
  text,
} from '../fields.ts';

const own = {
  user_key: hidden(),
  user_key_file: text(),
  token: hidden(),
  token_file: text(),
  title: text('{{ template "pushover.default.title" . }}'),
  message: text('{{ template "pushover.default.message" . }}'),
  url: text('{{ template "pushover.default.url" . }}'),
  url_title: text(),
  device: text(),
  sound: text(),
  priority: text('{{ if eq .Status "firing" }}2{{ else }}0{{ end }}'),
  retry: optional(goDuration, 60_000),
  expire: optional(goDuration, 3_600_000),
  ttl: optional(goDuration, 0),
  html: flag(),
  monospace: flag(),
} as const;

export type PushoverConfig = IntegrationSettings<'pushover', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const pushoverConfig =
  (global: GlobalConfig): Decoder<PushoverConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    for (const name of ['user_key', 'token'] as const) {
      const file = read[`${name}_file`];
      if (!isGiven(read[name]) && file === '') {
        refuse(node, path, `one of ${name} or ${name}_file must be configured`);
      }
      atMostOne(node, path, [name, `${name}_file`], [read[name], file]);
    }
    if (read.html && read.monospace) {
      refuse(node, path, 'at most one of monospace & html must be configured');
    }
    const http = http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG;
    return { kind: 'pushover', sendResolved: send_resolved, http, settings: read };
  };
