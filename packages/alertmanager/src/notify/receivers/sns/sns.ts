import type { StopSignal } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { groupHash } from '../group-hash.ts';
import { checkedUrl, checkStatus, ReceiverHttp } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import type { SnsConfig } from './config.ts';
import { AwsKeys } from './credentials.ts';
import { xmlText } from './security-token-service.ts';
import { signedHeaders } from './signature.ts';

const FORM = 'application/x-www-form-urlencoded';
const MAX_MESSAGE_BYTES = 256 * 1024;
const MAX_PHONE_BYTES = 1600;

/** Publishes to a topic, an endpoint or a phone by Amazon SNS. */
export function sns(config: SnsConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const http = new ReceiverHttp(config.http, options);
  const keys = new AwsKeys(settings.sigv4, options, http);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const { text } = new Rendering(options.templates, notification);
    const region = keys.region();
    const written = text(settings.api_url);
    const url = new URL(checkedUrl(written === '' ? keys.endpoint('sns') : written));
    url.search = '';
    const body = publishForm(notification, text).toString();
    const credentials = await keys.get(signal);
    const nowMs = options.env.clock.now();
    const headers = signedHeaders({
      url: url.toString(),
      body,
      contentType: FORM,
      region,
      service: 'sns',
      nowMs,
      credentials,
    });
    const secrets = [credentials.secretKey, credentials.sessionToken];
    const answer = await http.send({ url: url.toString(), headers, body, signal, secrets });
    checkStatus(answer, { details: (refused) => xmlText(refused.text, 'Message') });
  }

  function publishForm({ groupKey }: Notification, text: Rendering['text']): URLSearchParams {
    const form = new URLSearchParams({ Action: 'Publish', Version: '2010-03-31' });
    const topic = text(settings.topic_arn);
    if (topic !== '') form.set('TopicArn', topic);
    if (topic.endsWith('.fifo')) {
      form.set('MessageDeduplicationId', groupHash(groupKey));
      form.set('MessageGroupId', groupHash(groupKey));
    }
    const isPhone = settings.phone_number !== '';
    if (isPhone) form.set('PhoneNumber', text(settings.phone_number));
    if (settings.target_arn !== '') form.set('TargetArn', text(settings.target_arn));
    const limit = isPhone ? MAX_PHONE_BYTES : MAX_MESSAGE_BYTES;
    const whole = text(settings.message);
    if (whole === '') throw new DeliveryError('the message is empty', { retry: false });
    const message = cutBytes(whole, limit);
    form.set('Message', message);
    if (settings.subject !== '') form.set('Subject', text(settings.subject));
    const attributes = Object.entries(settings.attributes).map(
      ([name, value]) => [text(name), text(value)] as const,
    );
    if (message.length < whole.length) attributes.push(['truncated', 'true']);
    for (const [index, [name, value]] of attributes.entries()) {
      const entry = `MessageAttributes.entry.${index + 1}`;
      form.set(`${entry}.Name`, name);
      form.set(`${entry}.Value.DataType`, 'String');
      form.set(`${entry}.Value.StringValue`, value);
    }
    return form;
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

/** The service counts bytes; a character that does not fit whole is left out. */
function cutBytes(text: string, limit: number): string {
  if (Buffer.byteLength(text) <= limit) return text;
  let size = 0;
  let end = 0;
  for (const rune of text) {
    size += Buffer.byteLength(rune);
    if (size > limit) break;
    end += rune.length;
  }
  return text.slice(0, end);
}
