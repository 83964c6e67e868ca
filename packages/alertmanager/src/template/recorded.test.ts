import { readFileSync } from 'node:fs';
import { VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { TemplateError, type Value } from '@pollux/gotemplate';
import { Labels } from '@pollux/model';
import { describe, expect, test } from 'vitest';
import { templateData } from './data.ts';
import { NotificationTemplates } from './templates.ts';

type Texts = Readonly<Record<string, string>>;
type RecordedAlert = {
  readonly status: 'firing' | 'resolved';
  readonly labels: Texts;
  readonly annotations: Texts;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
  readonly fingerprint: string;
};
type Recorded = {
  readonly data: {
    readonly receiver: string;
    readonly status: 'firing' | 'resolved';
    readonly notification_reason: 'first notification';
    readonly groupLabels: Texts;
    readonly commonLabels: Texts;
    readonly externalURL: string;
    readonly alerts: readonly RecordedAlert[];
  };
  readonly cases: readonly {
    readonly text: string;
    readonly output?: string;
    readonly error?: string;
  }[];
};

const { data, cases } = JSON.parse(
  readFileSync(new URL('../../testdata/templates.json', import.meta.url), 'utf8'),
) as Recorded;

/** Rendered by the template package of Alertmanager 0.34.0, built with Go 1.26, in UTC. */
describe('templates recorded from Alertmanager', () => {
  const env = { clock: new VirtualClock(0), files: new NodeFiles() };
  const templates = NotificationTemplates.load(env, [], '/');
  const dot = recordedData();
  test.each(cases)('$text', ({ text, output, error }) => {
    let actual: string;
    try {
      actual = templates.expand(text, dot);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(TemplateError);
      actual = (thrown as TemplateError).message;
    }
    expect(actual).toBe(error ?? output);
  });
});

function recordedData(): Value {
  return templateData({
    receiver: data.receiver,
    status: data.status,
    reason: data.notification_reason,
    groupLabels: Labels.from(data.groupLabels),
    commonLabels: Labels.from(data.commonLabels),
    commonAnnotations: new Map(),
    routeLabels: Labels.EMPTY,
    externalUrl: data.externalURL,
    groupKey: '',
    alerts: data.alerts.map((alert) => ({
      status: alert.status,
      labels: Labels.from(alert.labels),
      annotations: new Map(Object.entries(alert.annotations)),
      startsAtMs: Date.parse(alert.startsAt),
      endsAtMs: alert.endsAt.startsWith('0001') ? 0 : Date.parse(alert.endsAt),
      generatorUrl: alert.generatorURL,
      fingerprint: alert.fingerprint,
      // Templates that do not ask for it render as if it were not there.
      acknowledgedBy: [{ owner: 'eve', note: 'n', untilMs: 0 }],
    })),
  });
}
