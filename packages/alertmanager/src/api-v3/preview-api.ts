import { type HttpResponse, LimitError } from '@pollux/base';
import type { Exchange } from '@pollux/http';
import { Labels } from '@pollux/model';
import { type Alert, AlertIdentity } from '../alert/alert.ts';
import { Annotations } from '../alert/annotations.ts';
import { answer } from '../api/respond.ts';
import { acknowledging } from '../explain/explain.ts';
import type { HistoryBody } from '../history/record.ts';
import type { NotificationReason } from '../notify/notification.ts';
import { previewNotification } from '../preview/preview-notification.ts';
import { render, renderFields } from '../preview/render-fields.ts';
import { sendTest } from '../preview/test-send.ts';
import type { ApiV3 } from './api-v3-options.ts';
import { NotFoundError, RequestError } from './errors.ts';
import { Fields } from './input.ts';
import { sampleAlerts } from './sample-alerts.ts';

const MAX_TEMPLATE = 200_000;
/** Marks what is a test wherever it arrives. */
const TEST_LABEL = 'pollux_test';

const REASONS: readonly NotificationReason[] = [
  'first notification',
  'new alerts added',
  'all alerts resolved',
  'some alerts resolved',
  'repeat interval elapsed',
  'unknown',
];

/** A template, or all templates of a receiver, rendered over given, active or past alerts. */
export async function postTemplatePreview(api: ApiV3, exchange: Exchange): Promise<HttpResponse> {
  const fields = await Fields.of(exchange);
  const template = fields.text('template', MAX_TEMPLATE);
  const type = fields.text('type', 10) || 'text';
  const receiver = fields.text('receiver', 1_000);
  const reason = reasonOf(fields);
  const sampled = await sampleAlerts(api, fields);
  fields.end();
  if (type !== 'text' && type !== 'html') throw new RequestError('type', 'must be text or html');
  if (template === '' && receiver === '') {
    throw new RequestError('template', 'give a template or a receiver');
  }
  const live = api.live();
  const config = live.config.receivers.find(({ name }) => name === receiver);
  if (receiver !== '' && config === undefined) {
    throw new NotFoundError('receiver', `no receiver is named "${receiver}"`);
  }
  const alerts = sampled.length > 0 ? sampled : [exampleAlert(api)];
  const notification = previewNotification(live, alerts, {
    receiver,
    reason,
    externalUrl: api.externalUrl,
    nowMs: api.clock.now(),
    acknowledgedBy: (alert) => acknowledging(api, alert),
  });
  const counts = new Map<string, number>();
  const integrations = (template === '' ? (config?.integrations ?? []) : []).map((integration) => {
    const index = counts.get(integration.kind) ?? 0;
    counts.set(integration.kind, index + 1);
    return {
      integration: `${integration.kind}[${index}]`,
      fields: renderFields(live.templates, integration, notification),
    };
  });
  const text =
    template === '' ? null : render(live.templates, { text: template, type }, notification);
  return answer(200, { alerts: alerts.length, result: text, integrations });
}

/** Sends a notification that is marked as a test through every integration of a receiver. */
export async function postReceiverTest(api: ApiV3, exchange: Exchange): Promise<HttpResponse> {
  const name = exchange.params.name ?? '';
  const fields = await Fields.ofOptional(exchange);
  const reason = reasonOf(fields);
  const sampled = await sampleAlerts(api, fields);
  fields.end();
  const live = api.live();
  const integrations = live.integrations.get(name);
  if (integrations === undefined) {
    const isKnown = live.config.receivers.some((receiver) => receiver.name === name);
    const message = isKnown ? 'is used by no route and so not built' : 'is not configured';
    throw new NotFoundError('name', `the receiver "${name}" ${message}`);
  }
  if (api.testsUnderWay.has(name)) {
    throw new LimitError(
      'ALERTMANAGER.TEST_RUNS',
      'tests of a receiver',
      `a test of "${name}" is being sent already`,
    );
  }
  const alerts = (sampled.length > 0 ? sampled : [exampleAlert(api)]).map(marked);
  const notification = previewNotification(live, alerts, {
    receiver: name,
    reason,
    externalUrl: api.externalUrl,
    nowMs: api.clock.now(),
    acknowledgedBy: (alert) => acknowledging(api, alert),
  });
  api.testsUnderWay.add(name);
  try {
    const results = await sendTest(api.clock, integrations, {
      ...notification,
      groupKey: `pollux_test/${notification.groupKey}`,
    });
    for (const result of results) {
      const body = (): HistoryBody => ({
        kind: 'notification',
        receiver: name,
        ...result,
        groupKey: `pollux_test/${notification.groupKey}`,
        groupLabels: notification.groupLabels.toObject(),
        reason: 'test',
        attempts: 1,
        firing: notification.alerts.filter(({ status }) => status === 'firing').length,
        resolved: notification.alerts.filter(({ status }) => status === 'resolved').length,
        alerts: notification.alerts.map(({ fingerprint, status, labels }) => ({
          fingerprint,
          status,
          labels: labels.toObject(),
        })),
      });
      api.history.add({ kind: 'notification', body });
    }
    return answer(200, { receiver: name, results });
  } finally {
    api.testsUnderWay.delete(name);
  }
}

function reasonOf(fields: Fields): NotificationReason {
  const given = fields.text('reason', 100) || 'first notification';
  const reason = REASONS.find((known) => known === given);
  if (reason === undefined) {
    throw new RequestError('reason', `must be one of ${REASONS.join(', ')}`);
  }
  return reason;
}

function marked(alert: Alert): Alert {
  const { labels } = alert.identity;
  return { ...alert, identity: new AlertIdentity(labels.with(TEST_LABEL, 'true')) };
}

/** Where a request names no alert. */
function exampleAlert({ clock }: ApiV3): Alert {
  const nowMs = clock.now();
  return {
    identity: new AlertIdentity(
      Labels.from({ alertname: 'PolluxTest', severity: 'info', instance: 'example:9100' }),
    ),
    annotations: Annotations.from([
      ['summary', 'This is a test of a receiver; nothing is wrong.'],
      ['description', 'Somebody asked Pollux to try whether notifications arrive.'],
    ]),
    startsAtMs: nowMs,
    endsAtMs: 0,
    updatedAtMs: nowMs,
    generatorUrl: '',
    isTimeout: false,
  };
}
