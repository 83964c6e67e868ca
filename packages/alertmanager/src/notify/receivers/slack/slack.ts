import type { StopSignal } from '@pollux/base';
import { Secret } from '@pollux/config';
import type { HttpConfig } from '@pollux/http';
import { DeliveryError } from '../../../errors.ts';
import { goJson, withoutEmpty } from '../../../wire/go-json.ts';
import type { Integration, ReceiverMemory } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { isGiven } from '../fields.ts';
import {
  checkedUrl,
  checkStatus,
  jsonObject,
  type ReceiverAnswer,
  ReceiverHttp,
  secretOf,
} from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInRunes } from '../truncate.ts';
import type { SlackConfig } from './config.ts';
import { attachment } from './message.ts';

const MAX_TITLE_RUNES = 1024;
const UPDATE_URL = 'https://slack.com/api/chat.update';

/** Slack by an incoming webhook or, with an app's token, by its API; there a message can be changed later. */
export function slack(config: SlackConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const { env, log } = options;
  const http = new ReceiverHttp(withToken(config), options);

  async function send(
    notification: Notification,
    signal: StopSignal,
    memory: ReceiverMemory,
  ): Promise<void> {
    const rendering = new Rendering(options.templates, notification);
    const { text } = rendering;
    const title = truncateInRunes(text(settings.title), MAX_TITLE_RUNES);
    if (title.isCut) {
      log.warn('Truncated title', {
        group_key: notification.groupKey,
        max_runes: MAX_TITLE_RUNES,
      });
    }
    const known = settings.update_message ? knownMessage(memory) : null;
    const channel = known?.channel ?? text(settings.channel);
    const body = {
      ...withoutEmpty({
        channel,
        ts: known?.ts ?? '',
        username: text(settings.username),
        icon_emoji: text(settings.icon_emoji),
        icon_url: text(settings.icon_url),
        link_names: settings.link_names,
        text: text(settings.message_text),
      }),
      attachments: [attachment(settings, title.text, rendering)],
    };
    const url = checkedUrl(
      hasToken(settings)
        ? settings.app_url
        : secretOf(env.files, settings.api_url, settings.api_url_file),
    );
    const answer = await http.json({
      url: known === null ? url : UPDATE_URL,
      body: goJson(body),
      timeoutMs: settings.timeout,
      signal,
      secrets: [url, settings.app_token.reveal()],
    });
    const prefix = `channel "${channel}": `;
    checkStatus(answer, { prefix });
    const accepted = readAnswer(answer, prefix);
    if (!settings.update_message || accepted === null) return;
    memory.set('threadTs', accepted.ts);
    memory.set('channelId', accepted.channel);
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

function hasToken(settings: SlackConfig['settings']): boolean {
  return isGiven(settings.app_token) || settings.app_token_file !== '';
}

function withToken({ http, settings }: SlackConfig): HttpConfig {
  const { app_token: token, app_token_file: file } = settings;
  if (!hasToken(settings)) return http;
  return {
    ...http,
    authorization: {
      type: 'Bearer',
      credentials: file === '' ? token : new Secret(''),
      credentials_file: file,
    },
  };
}

type SentMessage = { readonly ts: string; readonly channel: string };

function knownMessage(memory: ReceiverMemory): SentMessage | null {
  const ts = memory.get('threadTs') ?? '';
  const channel = memory.get('channelId') ?? '';
  return ts === '' || channel === '' ? null : { ts, channel };
}

/** Incoming webhooks answer "ok" as text, the API answers JSON, both with 200 for refusals too. */
function readAnswer(answer: ReceiverAnswer, prefix: string): SentMessage | null {
  const shown = answer.mask(answer.text.slice(0, 500));
  const refused = (message: string, retry: boolean): DeliveryError =>
    new DeliveryError(prefix + message, { retry, reason: 'clientError' });
  if (!answer.contentType.startsWith('application/json')) {
    if (answer.text === 'ok') return null;
    throw refused(`received an error response from Slack: ${shown}`, false);
  }
  const fields = jsonObject(answer);
  if (fields === null) throw refused(`could not unmarshal JSON response "${shown}"`, true);
  if (fields.ok !== true) {
    throw refused(`error response from Slack: ${answer.mask(String(fields.error ?? ''))}`, false);
  }
  const { ts, channel } = fields;
  if (typeof ts !== 'string' || typeof channel !== 'string' || ts === '' || channel === '') {
    return null;
  }
  return { ts, channel };
}
