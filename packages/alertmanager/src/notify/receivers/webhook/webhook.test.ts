import { afterEach, describe, expect, it } from 'vitest';
import { sampleAlert, sampleNotification } from '../../../testing/sample-notification.ts';
import { START_MS, TestNode } from '../../../testing/world.ts';
import { webhookMessage } from './message.ts';

describe('the webhook message', () => {
  it('is version 4, field by field', () => {
    const notification = sampleNotification([
      sampleAlert({ alertname: 'Down', job: 'node' }, { summary: '<down> & out' }),
      sampleAlert({ alertname: 'Down', job: 'db' }, { summary: '<down> & out' }, START_MS + 1_500),
    ]);
    expect(webhookMessage(notification, 0)).toBe(
      '{"receiver":"web\\\\.hook","status":"firing","alerts":[' +
        '{"status":"firing","labels":{"alertname":"Down","job":"node"},"annotations":{"summary":"\\u003cdown\\u003e \\u0026 out"},' +
        '"startsAt":"2026-01-05T10:00:00Z","endsAt":"0001-01-01T00:00:00Z",' +
        '"generatorURL":"http://prom/graph?g0.expr=up\\u0026g0.tab=1","fingerprint":"952a6219e8df7701"},' +
        '{"status":"resolved","labels":{"alertname":"Down","job":"db"},"annotations":{"summary":"\\u003cdown\\u003e \\u0026 out"},' +
        '"startsAt":"2026-01-05T10:00:00Z","endsAt":"2026-01-05T10:00:01.5Z",' +
        '"generatorURL":"http://prom/graph?g0.expr=up\\u0026g0.tab=1","fingerprint":"3127122f6f978887"}],' +
        '"notification_reason":"first notification","groupLabels":{"alertname":"Down"},' +
        '"commonLabels":{"alertname":"Down"},"commonAnnotations":{"summary":"\\u003cdown\\u003e \\u0026 out"},' +
        '"routeLabels":{},"externalURL":"http://am.example","version":"4",' +
        '"groupKey":"{}:{alertname=\\"Down\\"}","truncatedAlerts":0}\n',
    );
  });
});

describe('a webhook', () => {
  let node: TestNode | null = null;
  afterEach(async () => {
    await node?.close();
    node?.removeDirectory();
  });

  function start(webhook: string, route = ''): TestNode {
    node = new TestNode({
      config: `
global: {http_config: {authorization: {credentials: token1}}}
route: {receiver: web.hook, group_wait: 1s, group_by: [alertname]${route}}
receivers: [{name: web.hook, webhook_configs: [${webhook}]}]
`,
    });
    return node;
  }

  it('sends JSON with the global http_config and the name of the program', async () => {
    const world = start("{url: 'http://hook/x'}");
    await world.fire({ labels: { alertname: 'A' }, endsIn: 600 });
    await world.advance(2);
    expect(world.net.deliveries[0]?.headers).toEqual({
      'content-type': 'application/json',
      'user-agent': 'Alertmanager/0.34.0',
      authorization: 'Bearer token1',
    });
  });

  it('expands its address, sends at most max_alerts and tells how many it left out', async () => {
    const world = start(
      "{url: 'http://hook/{{ .GroupLabels.alertname | toLower }}', max_alerts: 2}",
    );
    await world.fire(
      ...['x', 'y', 'z'].map((name) => ({ labels: { alertname: 'A', name }, endsIn: 600 })),
    );
    await world.advance(2);
    const [delivery] = world.net.deliveries;
    expect(delivery?.url).toBe('http://hook/a');
    const body = JSON.parse(delivery!.body) as { alerts: unknown[]; truncatedAlerts: number };
    expect(body.alerts).toHaveLength(2);
    expect(body.truncatedAlerts).toBe(1);
  });

  it('sends a payload of its own with every string expanded', async () => {
    const world = start(
      "{url: 'http://hook/', payload: {text: '{{ .CommonLabels.alertname }} on {{ .RouteLabels.team }}', n: 3, deep: [{s: '{{ len .Alerts }}'}], none: '{{ .CommonLabels.x }}', comment: ' # c', map: '{}'}}",
      ", labels: {team: 'db-{{ .Status }}'}",
    );
    await world.fire({ labels: { alertname: 'A' }, endsIn: 600 });
    await world.advance(2);
    expect(JSON.parse(world.net.deliveries[0]!.body)).toEqual({
      text: 'A on db-firing',
      n: 3,
      // What renders as a number is one, as upstream's DeepCopyWithTemplate has it.
      deep: [{ s: 1 }],
      none: null,
      comment: null,
      map: {},
    });
  });

  it('with a failing template is not tried again, and the error names the template', async () => {
    const world = start("{url: 'http://hook/{{ .Nope }}'}");
    await world.fire({ labels: { alertname: 'A' }, endsIn: 600 });
    await world.advance(60);
    expect(world.net.deliveries).toEqual([]);
    const results = await world.results();
    expect(results).toMatchObject([{ result: 'failed', attempts: 1 }]);
    expect(JSON.stringify(results)).toContain("can't evaluate field Nope");
  });
});
