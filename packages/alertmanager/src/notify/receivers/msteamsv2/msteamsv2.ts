import type { StopSignal } from '@pollux/base';
import { goJson } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkedUrl, checkStatus, ReceiverHttp, secretOf } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import type { Msteamsv2Config } from './config.ts';

/** An adaptive card for a flow of Microsoft Teams. */
export function msteamsv2(config: Msteamsv2Config, options: BuildOptions): Integration {
  const { settings } = config;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const { text } = new Rendering(options.templates, notification);
    const title = {
      type: 'TextBlock',
      text: text(settings.title),
      weight: 'Bolder',
      size: 'Medium',
      wrap: true,
      style: 'heading',
      color: notification.status === 'firing' ? 'Attention' : 'Good',
    };
    const content = {
      $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
      type: 'AdaptiveCard',
      version: '1.2',
      body: [title, { type: 'TextBlock', text: text(settings.text), wrap: true }],
      msteams: { width: 'full' },
    };
    const body = {
      type: 'message',
      attachments: [
        { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content },
      ],
    };
    const url = secretOf(options.env.files, settings.webhook_url, settings.webhook_url_file);
    checkStatus(await http.json({ url: checkedUrl(url), body: goJson(body), signal }));
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}
