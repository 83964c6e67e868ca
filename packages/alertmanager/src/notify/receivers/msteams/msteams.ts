import type { StopSignal } from '@pollux/base';
import { goJson } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkedUrl, checkStatus, ReceiverHttp, secretOf } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import type { MsteamsConfig } from './config.ts';

const RED = '8C1A1A';
const GREEN = '2DC72D';

/** A message card for a connector of Microsoft Teams. */
export function msteams(config: MsteamsConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const { text } = new Rendering(options.templates, notification);
    const body = {
      '@context': 'http://schema.org/extensions',
      type: 'MessageCard',
      title: text(settings.title),
      summary: text(settings.summary),
      text: text(settings.text),
      themeColor: notification.status === 'firing' ? RED : GREEN,
    };
    const url = secretOf(options.env.files, settings.webhook_url, settings.webhook_url_file);
    checkStatus(await http.json({ url: checkedUrl(url), body: goJson(body), signal }));
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}
