import type { Counter, Family, MetricFamily, Registry, Summary } from '@pollux/telemetry';
import { isResolvedAt } from './alert/alert.ts';
import type { AlertProvider } from './alert/alert-provider.ts';
import { statusOf } from './api/alert-status.ts';
import type { LiveConfig } from './live-config.ts';
import type { Robots } from './notify/receivers/robots/robots.ts';
import type { SilenceStore } from './silence/silence-store.ts';

/** What `--enable-feature` adds to metrics. */
export type MetricLabels = {
  /** `alert-names-in-metrics`: alerts refused by the limit, by their names. */
  readonly alertNames?: boolean;
  /** `receiver-name-in-metrics`: notifications by receiver. */
  readonly receiverNames?: boolean;
  /** `group-key-in-metrics`: alerts by group. */
  readonly groupKeys?: boolean;
};

export type MetricSources = {
  readonly labels: MetricLabels;
  readonly now: () => number;
  readonly provider: AlertProvider;
  readonly silences: SilenceStore;
  readonly robots: Robots;
  /** Null before the first configuration. */
  readonly live: () => LiveConfig | null;
};

/** What received alerts count into; the rest is read when scraped. */
export type AlertMetrics = {
  readonly received: Family<Counter>;
  readonly invalid: Family<Counter>;
  readonly processingSeconds: Summary;
};

/** Upstream's metrics of alerts, silences, groups and the configuration's size. */
export function registerMetrics(registry: Registry, sources: MetricSources): AlertMetrics {
  const { provider, silences, robots, live, labels } = sources;
  registry.collect(() => [
    labels.groupKeys ? groupStates(sources) : alertStates(sources),
    silenceStates(silences),
  ]);
  const gauge = (name: string, help: string, read: () => number): void =>
    registry.gaugeFrom(`alertmanager_${name}`, help, read);
  gauge(
    'dispatcher_aggregation_groups',
    'Number of active aggregation groups',
    () => live()?.dispatcher.groupCount ?? 0,
  );
  gauge('receivers', 'Number of configured receivers.', () => live()?.config.receivers.length ?? 0);
  gauge('integrations', 'Number of configured integrations.', () => {
    const receivers = live()?.config.receivers ?? [];
    return receivers.reduce((sum, { integrations }) => sum + integrations.length, 0);
  });
  gauge(
    'inhibition_rules',
    'Number of configured inhibition rules.',
    () => live()?.config.inhibitRules.length ?? 0,
  );
  gauge(
    'alerts_per_alert_limit',
    'Current limit on number of alerts per alert name; 0 for none.',
    () => provider.perAlertnameLimit,
  );
  registry.collect(() => [
    {
      name: 'alertmanager_alerts_limited_total',
      help: 'Alerts refused by the limit per alertname.',
      type: 'counter',
      samples: labels.alertNames
        ? [...provider.limitedByName].map(([name, value]) => ({
            suffix: '',
            labels: ['alertname', name],
            value,
          }))
        : [{ suffix: '', labels: [], value: provider.limitedCount }],
    },
  ]);
  registry.gaugeFrom(
    'pollux_alertmanager_robot_waiting_messages',
    'Messages that wait for their turn at a robot of DingTalk, WeCom or Feishu.',
    () => robots.waitingCount,
  );
  const received = registry.counters(
    'alertmanager_alerts_received_total',
    'The total number of received alerts.',
    ['status', 'version'],
  );
  const invalid = registry.counters(
    'alertmanager_alerts_invalid_total',
    'The total number of received alerts that were invalid.',
    ['version'],
  );
  for (const status of ['firing', 'resolved']) received.with(status, 'v2');
  invalid.with('v2');
  const processingSeconds = registry
    .summaries(
      'alertmanager_dispatcher_alert_processing_duration_seconds',
      'Summary of latencies for the processing of alerts.',
      [],
      [],
    )
    .with();
  return { received, invalid, processingSeconds };
}

function alertStates({ provider, silences, live, now }: MetricSources): MetricFamily {
  const counts = { active: 0, suppressed: 0, unprocessed: 0 };
  const config = live();
  const nowMs = now();
  for (const alert of provider.all()) {
    if (isResolvedAt(alert, nowMs)) continue;
    if (config === null) counts.unprocessed++;
    else counts[statusOf(alert, silences, config, nowMs).state]++;
  }
  return byState('alertmanager_alerts', 'How many alerts by state.', counts);
}

/** An alert counts once for each group that it is in. */
function groupStates({ silences, live, now }: MetricSources): MetricFamily {
  const config = live();
  const nowMs = now();
  const samples = [...(config?.dispatcher.groups() ?? [])].flatMap((group) => {
    const counts = { active: 0, suppressed: 0, unprocessed: 0 };
    for (const alert of group.alerts) {
      if (config === null || isResolvedAt(alert, nowMs)) continue;
      counts[statusOf(alert, silences, config, nowMs).state]++;
    }
    return Object.entries(counts).map(([state, value]) => ({
      suffix: '',
      labels: ['state', state, 'group_key', group.key],
      value,
    }));
  });
  return { name: 'alertmanager_alerts', help: 'How many alerts by state.', type: 'gauge', samples };
}

function silenceStates(silences: SilenceStore): MetricFamily {
  return byState('alertmanager_silences', 'How many silences by state.', silences.countByState());
}

function byState(
  name: string,
  help: string,
  counts: Readonly<Record<string, number>>,
): MetricFamily {
  const samples = Object.entries(counts).map(([state, value]) => ({
    suffix: '',
    labels: ['state', state],
    value,
  }));
  return { name, help, type: 'gauge', samples };
}
