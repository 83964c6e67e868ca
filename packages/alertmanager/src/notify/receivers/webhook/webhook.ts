import type { StopSignal } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';
import { goJson } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import { type Notification, withAlerts } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkedUrl, checkStatus, ReceiverHttp, secretOf } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import type { WebhookConfig } from './config.ts';
import { webhookMessage } from './message.ts';

/** Posts the group as JSON to any address. */
export function webhook(config: WebhookConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const { max_alerts: limit, payload } = settings;
    const isCut = limit > 0 && notification.alerts.length > limit;
    const shown = isCut
      ? withAlerts(notification, notification.alerts.slice(0, limit))
      : notification;
    const truncated = notification.alerts.length - shown.alerts.length;
    const rendering = new Rendering(options.templates, shown);
    const body =
      payload === null ? webhookMessage(shown, truncated) : goJson(rendering.block(payload));
    const url = rendering.text(secretOf(options.env.files, settings.url, settings.url_file));
    if (url === '') {
      throw new DeliveryError('webhook URL is empty after templating', { retry: false });
    }
    const timeoutMs = settings.timeout;
    checkStatus(await http.json({ url: checkedUrl(url), body, timeoutMs, signal }));
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}
