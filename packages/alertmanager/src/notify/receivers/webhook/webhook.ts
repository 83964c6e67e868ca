import { errorText } from '@pollux/base';
import type { ConfigNode } from '@pollux/config';
import { DeliveryError } from '../../../errors.ts';
import { templateData } from '../../../template/data.ts';
import type { Integration } from '../../integration.ts';
import { type Notification, withAlerts } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkStatus, postJson, readSecretFile } from '../post.ts';
import type { WebhookConfig } from './config.ts';
import { goJson, webhookMessage } from './message.ts';

/** Posts the group as JSON to any address. */
export function webhook(config: WebhookConfig, options: BuildOptions): Integration {
  const { env, templates, resolvePath } = options;

  async function send(notification: Notification, signal: AbortSignal): Promise<void> {
    const { maxAlerts } = config;
    const isCut = maxAlerts > 0 && notification.alerts.length > maxAlerts;
    const shown = isCut
      ? withAlerts(notification, notification.alerts.slice(0, maxAlerts))
      : notification;
    const truncated = notification.alerts.length - shown.alerts.length;
    const { url, body } = render(shown, truncated);
    const answer = await postJson({
      net: env.net,
      files: env.files,
      http: config.http ?? options.globalHttp,
      resolvePath,
      url,
      body,
      userAgent: options.userAgent,
      timeoutMs: config.timeoutMs,
      signal,
    });
    checkStatus(answer);
  }

  function render(notification: Notification, truncated: number): { url: string; body: string } {
    const written =
      config.urlFile === '' ? config.url.reveal() : readSecretFile(env.files, config.urlFile);
    const data = templateData(notification);
    const expand = (text: string): string => templates.expand(text, data);
    try {
      const url = expand(written);
      if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
        throw new DeliveryError('the url is no http address', { retry: false });
      }
      const body =
        config.payload === null
          ? webhookMessage(notification, truncated)
          : goJson(expandNode(config.payload, expand));
      return { url, body };
    } catch (error) {
      if (error instanceof DeliveryError) throw error;
      throw new DeliveryError(`template: ${errorText(error)}`, { retry: false, cause: error });
    }
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

/** The payload of the configuration with every string expanded. */
function expandNode(node: ConfigNode, expand: (text: string) => string): unknown {
  switch (node.kind) {
    case 'null':
      return null;
    case 'scalar':
      return typeof node.value === 'string' || node.isQuoted ? expand(node.text) : node.value;
    case 'list':
      return node.items.map((item) => expandNode(item, expand));
    case 'map':
      return Object.fromEntries(
        node.entries.map(({ key, value }) => [expand(key), expandNode(value, expand)]),
      );
  }
}
