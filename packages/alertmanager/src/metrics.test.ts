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
