import type { StopSignal } from '@pollux/base';
import { DeliveryError } from '../../../errors.ts';
import { goJson, withoutEmpty } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { isGiven } from '../fields.ts';
import { groupHash } from '../group-hash.ts';
import {
  checkStatus,
  jsonObject,
  type ReceiverAnswer,
  ReceiverHttp,
  secretOf,
} from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInRunes } from '../truncate.ts';
import type { PagerdutyConfig } from './config.ts';

const V1_URL = 'https://events.pagerduty.com/generic/2010-04-15/create_event.json';
const MAX_EVENT_BYTES = 512_000;
const MAX_SUMMARY_RUNES = 1024;
/** The first generation of the API says 403 for its rate limit, the second 429. */
const V1_RETRY_CODES = [403];
const V2_RETRY_CODES = [429];

type Event = { readonly fields: Record<string, unknown>; readonly key: string };

/** Opens, updates and resolves an incident for a group, by the events API of either generation. */
export function pagerduty(config: PagerdutyConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const { env, log } = options;
  const http = new ReceiverHttp(config.http, options);
  const isV1 = isGiven(settings.service_key) || settings.service_key_file !== '';

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const rendering = new Rendering(options.templates, notification);
    const details = Object.fromEntries(
      Object.entries(settings.details).map(([name, node]) => [name, rendering.block(node)]),
    );
    const { fields, key } = isV1 ? eventV1(notification, rendering) : eventV2(rendering);
    const eventType = notification.status === 'resolved' ? 'resolve' : 'trigger';
    const answer = await http.json({
      url: isV1 ? V1_URL : settings.url,
      body: encode((shown) => withDetails(fields, { eventType, details: shown }), details),
      timeoutMs: settings.timeout,
      signal,
      secrets: [key],
    });
    checkStatus(answer, {
      retryCodes: isV1 ? V1_RETRY_CODES : V2_RETRY_CODES,
      details: refusal,
      isUnclassified: isV1,
    });

    function withDetails(
      event: Record<string, unknown>,
      { eventType: type, details: shown }: { eventType: string; details: Record<string, unknown> },
    ): Record<string, unknown> {
      const hash = groupHash(notification.groupKey);
      if (isV1) {
        return {
          ...event,
          incident_key: hash,
          event_type: type,
          event_action: '',
          payload: null,
          ...withoutEmpty({ details: shown }),
        };
      }
      const payload = event.payload as Record<string, unknown>;
      return {
        ...event,
        event_action: type,
        dedup_key: hash,
        payload: { ...payload, ...withoutEmpty({ custom_details: shown }) },
      };
    }
  }

  function summary({ text }: Rendering, groupKey = ''): string {
    const cut = truncateInRunes(text(settings.description), MAX_SUMMARY_RUNES);
    if (cut.isCut)
      log.warn('Truncated description', { key: groupKey, max_runes: MAX_SUMMARY_RUNES });
    return cut.text;
  }

  function eventV1({ status }: Notification, rendering: Rendering): Event {
    const { text } = rendering;
    const key = text(secretOf(env.files, settings.service_key, settings.service_key_file));
    if (key === '') throw new DeliveryError('service key cannot be empty', { retry: false });
    const isTrigger = status === 'firing';
    return {
      key,
      fields: withoutEmpty({
        service_key: key,
        description: summary(rendering),
        client: isTrigger ? text(settings.client) : '',
        client_url: isTrigger ? text(settings.client_url) : '',
      }),
    };
  }

  function eventV2(rendering: Rendering): Event {
    const { text } = rendering;
    const key = text(secretOf(env.files, settings.routing_key, settings.routing_key_file));
    if (key === '') throw new DeliveryError('routing key cannot be empty', { retry: false });
    const images = settings.images.map(({ src, alt, href }) => ({
      src: text(src),
      alt: text(alt),
      href: text(href),
    }));
    const links = settings.links.map((link) => ({ href: text(link.href), text: text(link.text) }));
    return {
      key,
      fields: {
        ...withoutEmpty({
          routing_key: key,
          client: text(settings.client),
          client_url: text(settings.client_url),
          images: images.filter(({ src }) => src !== ''),
          links: links.filter(({ href }) => href !== ''),
        }),
        payload: {
          summary: summary(rendering),
          source: text(settings.source),
          severity: text(settings.severity === '' ? 'error' : settings.severity),
          ...withoutEmpty({
            class: text(settings.class),
            component: text(settings.component),
            group: text(settings.group),
          }),
        },
      },
    };
  }

  /** The service refuses larger events; their details give way. */
  function encode(
    bodyOf: (details: Record<string, unknown>) => Record<string, unknown>,
    details: Record<string, unknown>,
  ): string {
    const whole = goJson(bodyOf(details));
    const size = Buffer.byteLength(whole);
    if (size <= MAX_EVENT_BYTES) return whole;
    log.warn('Truncated Details because the message exceeds the limit', {
      size_bytes: size,
      max_bytes: MAX_EVENT_BYTES,
    });
    const error =
      'Custom details have been removed because the original event exceeds the maximum size of 512KB';
    return goJson(bodyOf({ error }));
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

/** What the service says of a bad request; of other refusals the status is all there is. */
function refusal(answer: ReceiverAnswer): string {
  const fields = answer.status === 400 ? jsonObject(answer) : null;
  if (fields === null) return '';
  const errors = Array.isArray(fields.errors) ? fields.errors.map(String) : [];
  return `${String(fields.message ?? '')}: ${errors.join(',')}`;
}
