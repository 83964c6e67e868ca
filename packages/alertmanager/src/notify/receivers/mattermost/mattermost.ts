import type { StopSignal } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { goJson, withoutEmpty } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkedUrl, checkStatus, ReceiverHttp, secretOf } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInRunes } from '../truncate.ts';
import type { AttachmentSettings, MattermostConfig } from './config.ts';

const MAX_TEXT_RUNES = 16_383;

type Text = Rendering['text'];

/** A message by an incoming webhook of Mattermost. */
export function mattermost(config: MattermostConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const { text } = new Rendering(options.templates, notification);
    const log = options.log.with({ key: notification.groupKey });
    const url = secretOf(options.env.files, settings.webhook_url, settings.webhook_url_file);
    const channel = text(settings.channel);
    const answer = await http.json({
      url: checkedUrl(url),
      body: goJson(messageOf(settings, channel, { text, log })),
      signal,
    });
    checkStatus(answer, { prefix: `channel "${channel}": ` });
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

function messageOf(
  settings: MattermostConfig['settings'],
  channel: string,
  { text, log }: { readonly text: Text; readonly log: Log },
): Record<string, unknown> {
  // With attachments of its own the text stands above them, else in the only one.
  const hasOwn = settings.attachments.length > 0;
  const whole = truncateInRunes(hasOwn ? text(settings.text) : '', MAX_TEXT_RUNES);
  if (whole.isCut) log.warn('Truncated text', { max_runes: MAX_TEXT_RUNES });
  const attachments = hasOwn ? settings.attachments : [settings];
  return withoutEmpty({
    text: whole.text,
    channel,
    username: text(settings.username),
    icon_url: text(settings.icon_url),
    icon_emoji: text(settings.icon_emoji),
    attachments: attachments.map((each) => attachment(each, text)),
    type: text(settings.type),
    props: withoutEmpty({ card: text(settings.props?.card ?? '') }),
    priority: priorityOf(settings, text, log),
  });
}

function attachment(settings: AttachmentSettings, text: Text): Record<string, unknown> {
  const { fields, ...texts } = settings;
  const names = [
    'fallback',
    'color',
    'pretext',
    'text',
    'author_name',
    'author_link',
    'author_icon',
    'title',
    'title_link',
    'thumb_url',
    'footer',
    'footer_icon',
    'image_url',
  ] as const;
  return withoutEmpty({
    ...Object.fromEntries(names.map((name) => [name, text(texts[name])])),
    fields: fields.map((field) => ({
      ...withoutEmpty({ title: text(field.title), value: text(field.value) }),
      ...(field.short === null ? {} : { short: field.short }),
    })),
  });
}

/** The service refuses combinations that make no sense; they are mended instead of losing the message. */
function priorityOf(
  { priority }: MattermostConfig['settings'],
  text: Text,
  log: Log,
): Record<string, unknown> | null {
  if (priority === null || priority.priority === '') return null;
  const written = text(priority.priority).toLowerCase();
  const isKnown = ['urgent', 'important', 'standard'].includes(written);
  if (!isKnown) {
    log.warn('Priority is set to standard due to invalid value', { priority: written });
  }
  const level = isKnown ? written : 'standard';
  return withoutEmpty({
    priority: level,
    requested_ack: priority.requested_ack && level !== 'standard',
    persistent_notifications: priority.persistent_notifications && level === 'urgent',
  });
}
