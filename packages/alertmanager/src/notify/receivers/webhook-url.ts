import { type ConfigNode, optional, refuse, type Secret } from '@pollux/config';
import { isGiven, NO_SECRET, secretUrl, text } from './fields.ts';

/** The address of an incoming webhook, inline or in a file, as several chat services have it. */
export const webhookUrlFields = {
  webhook_url: optional(secretUrl, NO_SECRET),
  webhook_url_file: text(),
} as const;

type WebhookUrl = { readonly webhook_url: Secret; readonly webhook_url_file: string };

export function checkWebhookUrl(
  node: ConfigNode,
  path: string,
  read: WebhookUrl,
  isNeeded = true,
): void {
  const hasUrl = isGiven(read.webhook_url);
  if (isNeeded && !hasUrl && read.webhook_url_file === '') {
    refuse(node, path, 'one of webhook_url or webhook_url_file must be configured');
  }
  if (hasUrl && read.webhook_url_file !== '') {
    refuse(node, path, 'at most one of webhook_url & webhook_url_file must be configured');
  }
}
