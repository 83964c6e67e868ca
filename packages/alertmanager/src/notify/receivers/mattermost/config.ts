import {
  type Decoded,
  type Decoder,
  list,
  nullable,
  object,
  optional,
  refuse,
} from '@pollux/config';
import { DEFAULT_HTTP_CONFIG } from '@pollux/http';
import type { GlobalConfig } from '../../../config/global-config.ts';
import { flag, type IntegrationSettings, isGiven, sharedFields, text } from '../fields.ts';
import { wholeMessageField } from '../message-field.ts';
import { checkWebhookUrl, webhookUrlFields } from '../webhook-url.ts';

/** What a message's only attachment and each of a list of attachments have in common. */
const attachmentFields = {
  fallback: text(),
  color: text(),
  pretext: text(),
  text: text(),
  author_name: text(),
  author_link: text(),
  author_icon: text(),
  title: text(),
  title_link: text(),
  fields: optional(list(wholeMessageField('Mattermost')), []),
  thumb_url: text(),
  footer: text(),
  footer_icon: text(),
  image_url: text(),
} as const;

export type AttachmentSettings = Decoded<typeof attachmentFields>;

const own = {
  ...webhookUrlFields,
  ...attachmentFields,
  channel: text(),
  username: text('{{ template "mattermost.default.username" . }}'),
  text: text('{{ template "mattermost.default.text" . }}'),
  fallback: text('{{ template "mattermost.default.fallback" . }}'),
  color: text('{{ template "mattermost.default.color" . }}'),
  title: text('{{ template "mattermost.default.title" . }}'),
  title_link: text('{{ template "mattermost.default.titlelink" . }}'),
  icon_url: text(),
  icon_emoji: text(),
  attachments: optional(list(object(attachmentFields)), []),
  type: text(),
  props: optional(nullable(object({ card: text() })), null),
  priority: optional(
    nullable(object({ priority: text(), requested_ack: flag(), persistent_notifications: flag() })),
    null,
  ),
} as const;

export type MattermostConfig = IntegrationSettings<'mattermost', Decoded<typeof own>>;

const fields = object({ ...sharedFields(true), ...own });

export const mattermostConfig =
  (global: GlobalConfig): Decoder<MattermostConfig> =>
  (node, path, context) => {
    const { send_resolved, http_config, ...read } = fields(node, path, context);
    checkWebhookUrl(node, path, read, false);
    const hasOwn = isGiven(read.webhook_url) || read.webhook_url_file !== '';
    const settings = hasOwn
      ? read
      : {
          ...read,
          webhook_url: global.mattermost_webhook_url,
          webhook_url_file: global.mattermost_webhook_url_file,
        };
    if (!isGiven(settings.webhook_url) && settings.webhook_url_file === '') {
      refuse(node, path, 'missing webhook_url or webhook_url_file on mattermost_config');
    }
    const http = http_config ?? global.http_config ?? DEFAULT_HTTP_CONFIG;
    return { kind: 'mattermost', sendResolved: send_resolved, http, settings };
  };
