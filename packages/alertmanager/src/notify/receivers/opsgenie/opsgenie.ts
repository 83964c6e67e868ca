import type { StopSignal } from '@pollux/base';
import { goJson, withoutEmpty } from '../../../wire/go-json.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { isGiven } from '../fields.ts';
import { groupHash } from '../group-hash.ts';
import { checkStatus, ReceiverHttp, readSecretFile } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { truncateInRunes } from '../truncate.ts';
import type { OpsgenieConfig } from './config.ts';

const MAX_MESSAGE_RUNES = 130;
const RETRY_CODES = [429];

type Step = { readonly method: string; readonly path: string; readonly body: unknown };

/** Opens an alert for a group, on wish updates its texts, closes it. */
export function opsgenie(config: OpsgenieConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const http = new ReceiverHttp(config.http, options);

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const rendering = new Rendering(options.templates, notification);
    const steps = stepsFor(notification, rendering);
    // As upstream: an inline key wins over a file.
    const written = isGiven(settings.api_key)
      ? settings.api_key.reveal()
      : readSecretFile(options.env.files, settings.api_key_file);
    const key = rendering.text(written).trim();
    for (const { method, path, body } of steps) {
      const url = new URL(settings.api_url);
      const [name = '', query = ''] = path.split('?');
      url.pathname += name;
      url.search = query;
      const answer = await http.json({
        method,
        url: url.toString(),
        headers: { authorization: `GenieKey ${key}` },
        body: goJson(body),
        signal,
        secrets: [key],
      });
      checkStatus(answer, { retryCodes: RETRY_CODES });
    }
  }

  function stepsFor(notification: Notification, rendering: Rendering): readonly Step[] {
    const { text } = rendering;
    const alias = groupHash(notification.groupKey);
    const of = (action: string): string => `v2/alerts/${alias}/${action}?identifierType=alias`;
    if (notification.status === 'resolved') {
      return [{ method: 'POST', path: of('close'), body: { source: text(settings.source) } }];
    }
    const message = truncateInRunes(text(settings.message), MAX_MESSAGE_RUNES);
    if (message.isCut) {
      options.log.warn('Truncated message', {
        alert: notification.groupKey,
        max_runes: MAX_MESSAGE_RUNES,
      });
    }
    const description = text(settings.description);
    const body = {
      alias,
      message: message.text,
      ...withoutEmpty({ description }),
      details: {
        ...Object.fromEntries(notification.commonLabels),
        ...Object.fromEntries(
          Object.entries(settings.details).map(([name, value]) => [name, text(value)]),
        ),
      },
      source: text(settings.source),
      ...withoutEmpty({
        responders: responders(settings, text),
        tags: parts(text(settings.tags)),
        note: text(settings.note),
        priority: text(settings.priority),
        entity: text(settings.entity),
        actions: parts(text(settings.actions)),
      }),
    };
    const create: Step = { method: 'POST', path: 'v2/alerts', body };
    if (!settings.update_alerts) return [create];
    return [
      create,
      { method: 'PUT', path: of('message'), body: withoutEmpty({ message: message.text }) },
      { method: 'PUT', path: of('description'), body: withoutEmpty({ description }) },
    ];
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

/** Those that expand to nothing are left out; "teams" is a list of names. */
function responders(settings: OpsgenieConfig['settings'], text: Rendering['text']): unknown[] {
  return settings.responders.flatMap((responder) => {
    const named = {
      id: text(responder.id),
      name: text(responder.name),
      username: text(responder.username),
    };
    const type = text(responder.type);
    if (type === 'teams') return parts(named.name).map((name) => ({ name, type: 'team' }));
    const given = withoutEmpty(named);
    return Object.keys(given).length === 0 && type === '' ? [] : [{ ...given, type }];
  });
}

function parts(text: string): string[] {
  return text
    .trim()
    .split(',')
    .filter((part) => part !== '');
}
