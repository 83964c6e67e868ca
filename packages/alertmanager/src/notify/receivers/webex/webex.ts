import type { StopSignal } from '@pollux/base';
import { goJson, withoutEmpty } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkStatus, ReceiverHttp } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInBytes } from '../truncate.ts';
import type { WebexConfig } from './config.ts';

const MAX_MESSAGE_BYTES = 7439;

/** A message in a Webex room, by a bot whose token is in the http_config. */
export function webex(config: WebexConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const { text } = new Rendering(options.templates, notification);
    const message = truncateInBytes(text(settings.message), MAX_MESSAGE_BYTES);
    if (message.isCut) {
      options.log.debug('Truncated message', {
        group_key: notification.groupKey,
        max_bytes: MAX_MESSAGE_BYTES,
      });
    }
    const body = {
      markdown: message.text,
      ...withoutEmpty({ roomId: text(settings.room_id) }),
    };
    checkStatus(await http.json({ url: settings.api_url, body: goJson(body), signal }));
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}
