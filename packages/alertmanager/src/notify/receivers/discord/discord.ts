import type { StopSignal } from '@pollux/base';
import { goJson, withoutEmpty } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkedUrl, checkStatus, ReceiverHttp, secretOf } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInRunes } from '../truncate.ts';
import type { DiscordConfig } from './config.ts';

const MAX_TITLE_RUNES = 256;
const MAX_DESCRIPTION_RUNES = 4096;
const MAX_CONTENT_RUNES = 2000;
const RED = 0x992d22;
const GREEN = 0x2ecc71;

/** One embed in a Discord channel. */
export function discord(config: DiscordConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const { text } = new Rendering(options.templates, notification);
    const cut = (template: string, what: string, limit: number): string => {
      const { text: kept, isCut } = truncateInRunes(text(template), limit);
      if (isCut) {
        const { groupKey } = notification;
        options.log.warn(`Truncated ${what}`, { group_key: groupKey, max_runes: limit });
      }
      return kept;
    };
    const body = {
      content: cut(settings.content, 'content', MAX_CONTENT_RUNES),
      embeds: [
        {
          title: cut(settings.title, 'title', MAX_TITLE_RUNES),
          description: cut(settings.message, 'message', MAX_DESCRIPTION_RUNES),
          color: notification.status === 'firing' ? RED : GREEN,
        },
      ],
      ...withoutEmpty({ username: settings.username, avatar_url: settings.avatar_url }),
    };
    const url = secretOf(options.env.files, settings.webhook_url, settings.webhook_url_file);
    checkStatus(await http.json({ url: checkedUrl(url), body: goJson(body), signal }));
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}
