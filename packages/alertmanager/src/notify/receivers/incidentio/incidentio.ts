import type { StopSignal } from '@pollux/base';
import { Secret } from '@pollux/config';
import type { HttpConfig } from '@pollux/http';
import type { Integration } from '../../integration.ts';
import { type Notification, withAlerts } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { isGiven } from '../fields.ts';
import {
  checkedUrl,
  checkStatus,
  jsonObject,
  type ReceiverAnswer,
  ReceiverHttp,
  readSecretFile,
} from '../receiver-http.ts';
import { webhookMessage } from '../webhook/message.ts';
import type { IncidentioConfig } from './config.ts';

const MAX_BODY_BYTES = 512 * 1024;
const RETRY_CODES = [429];
const VERSION = '1';

/** The webhook message, sent to an alert source of incident.io. */
export function incidentio(config: IncidentioConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const http = new ReceiverHttp(withToken(config), options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const { max_alerts: limit } = settings;
    const isCut = limit > 0 && notification.alerts.length > limit;
    const shown = isCut
      ? withAlerts(notification, notification.alerts.slice(0, limit))
      : notification;
    const truncated = notification.alerts.length - shown.alerts.length;
    const url =
      settings.url === '' ? readSecretFile(options.env.files, settings.url_file) : settings.url;
    const answer = await http.json({
      url: checkedUrl(url),
      body: encode(shown, truncated),
      timeoutMs: settings.timeout,
      signal,
      secrets: [settings.alert_source_token.reveal()],
    });
    checkStatus(answer, { retryCodes: RETRY_CODES, details: refusal });
  }

  /** Over the service's limit, the first alert stands for its group. */
  function encode(notification: Notification, truncated: number): string {
    const whole = webhookMessage(notification, truncated, VERSION);
    if (Buffer.byteLength(whole) <= MAX_BODY_BYTES) return whole;
    const first = { ...notification, alerts: notification.alerts.slice(0, 1) };
    const cut = webhookMessage(first, truncated, VERSION);
    options.log.warn('Truncated alert content due to incident.io payload size limit', {
      original_size: Buffer.byteLength(whole),
      final_size: Buffer.byteLength(cut),
      max_size: MAX_BODY_BYTES,
    });
    return cut;
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

function withToken({ http, settings }: IncidentioConfig): HttpConfig {
  const { alert_source_token: token, alert_source_token_file: file } = settings;
  if (!isGiven(token) && file === '') return http;
  return {
    ...http,
    authorization: {
      type: 'Bearer',
      credentials: file === '' ? token : new Secret(''),
      credentials_file: file,
    },
  };
}

function refusal(answer: ReceiverAnswer): string {
  const fields = jsonObject(answer);
  if (fields === null) return '';
  const errors = Array.isArray(fields.errors) ? fields.errors.map(String).join(', ') : '';
  return [fields.message, fields.error, errors]
    .filter((part) => typeof part === 'string' && part !== '')
    .join(': ');
}
