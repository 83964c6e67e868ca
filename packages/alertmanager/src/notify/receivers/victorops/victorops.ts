import type { StopSignal } from '@pollux/base';
import { goJson } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { isGiven } from '../fields.ts';
import { groupHash } from '../group-hash.ts';
import { checkStatus, ReceiverHttp, readSecretFile } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInRunes } from '../truncate.ts';
import type { VictoropsConfig } from './config.ts';

const MAX_MESSAGE_RUNES = 20_480;
const FIRING_TYPES = ['INFO', 'WARNING', 'CRITICAL'];

/** An incident for a group, by the REST endpoint of VictorOps (Splunk On-Call). */
export function victorops(config: VictoropsConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const { text } = new Rendering(options.templates, notification);
    const key = isGiven(settings.api_key)
      ? settings.api_key.reveal()
      : readSecretFile(options.env.files, settings.api_key_file);
    const url = new URL(settings.api_url);
    const routingKey = text(settings.routing_key).replaceAll('%', '%25');
    url.pathname += `${key}/${routingKey}`;
    const state = truncateInRunes(text(settings.state_message), MAX_MESSAGE_RUNES);
    if (state.isCut) {
      options.log.warn('Truncated state_message', {
        group_key: notification.groupKey,
        max_runes: MAX_MESSAGE_RUNES,
      });
    }
    const body = {
      message_type: messageType(text(settings.message_type), notification.status),
      entity_id: groupHash(notification.groupKey),
      entity_display_name: text(settings.entity_display_name),
      state_message: state.text,
      monitoring_tool: text(settings.monitoring_tool),
      ...Object.fromEntries(
        Object.entries(settings.custom_fields).map(([name, value]) => [name, text(value)]),
      ),
    };
    const request = { url: url.toString(), body: goJson(body), signal, secrets: [key] };
    checkStatus(await http.json(request));
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

function messageType(written: string, status: Notification['status']): string {
  if (status === 'resolved') return 'RECOVERY';
  return FIRING_TYPES.includes(written) ? written : 'CRITICAL';
}
