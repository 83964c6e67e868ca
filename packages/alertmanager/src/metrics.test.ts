import { expect, it } from 'vitest';
import type { MetricLabels } from './metrics.ts';
import { TestNode } from './testing/world.ts';

const CONFIG = `
route: {receiver: hook, group_by: [alertname], group_wait: 1s}
receivers: [{name: hook, webhook_configs: [{url: 'http://hook/'}]}]
`;

async function metricsWith(metricLabels: MetricLabels): Promise<string> {
  const node = new TestNode({ config: CONFIG, settings: { metricLabels, perAlertnameLimit: 1 } });
  await node.fire({ labels: { alertname: 'A', n: '1' } }, { labels: { alertname: 'A', n: '2' } });
  await node.silence(['alertname=B'], 60);
  await node.fire({ labels: { alertname: 'B' } });
  await node.advance(2);
  const { text } = await node.request('GET', '/metrics');
  await node.close();
  node.removeDirectory();
  return text;
}

it('counts notifications, alerts and refusals without names of their own', async () => {
  const text = await metricsWith({});
  expect(text).toContain('alertmanager_notifications_total{integration="webhook"} 1\n');
  expect(text).toContain('alertmanager_notifications_total{integration="email"} 0\n');
  expect(text).toContain('alertmanager_alerts{state="active"} 1\n');
  expect(text).toContain('alertmanager_alerts_limited_total 1\n');
});

it('counts them by receiver, group and alert where that is asked for', async () => {
  const text = await metricsWith({ alertNames: true, receiverNames: true, groupKeys: true });
  const sent = 'alertmanager_notifications_total{integration="webhook",receiver_name="hook"}';
  expect(text).toContain(`${sent} 1\n`);
  expect(text).toContain(
    'alertmanager_notifications_failed_total{integration="webhook",receiver_name="hook",reason="other"} 0\n',
  );
  expect(text).not.toContain('integration="email"');
  const group = (name: string): string => `group_key="{}:{alertname=\\"${name}\\"}"`;
  expect(text).toContain(`alertmanager_alerts{state="active",${group('A')}} 1\n`);
  expect(text).toContain(`alertmanager_alerts{state="suppressed",${group('B')}} 1\n`);
  expect(text).toContain('alertmanager_alerts_limited_total{alertname="A"} 1\n');
});

it('counts what is looked through for silences and the notification log', async () => {
  const text = await metricsWith({});
  const value = (name: string): number =>
    Number(new RegExp(`^alertmanager_${name} (\\S+)$`, 'm').exec(text)?.[1]);
  expect(value('silences_state_size')).toBe(1);
  expect(value('silences_matcher_index_size')).toBe(1);
  // Of A and B the silence is a candidate for B alone.
  const scanned = value('silences_query_silences_scanned_total');
  expect(scanned).toBeGreaterThan(0);
  expect(value('silences_query_silences_skipped_total')).toBeGreaterThan(0);
  expect(value('silences_query_duration_seconds_count')).toBe(scanned);
  expect(value('silences_queries_total')).toBeGreaterThan(scanned);
  expect(value('nflog_queries_total')).toBe(value('nflog_query_duration_seconds_count'));
  expect(value('nflog_queries_total')).toBeGreaterThan(0);
  expect(value('dispatcher_alert_processing_duration_seconds_count')).toBe(2);
  expect(value('alerts_per_alert_limit')).toBe(1);
});
