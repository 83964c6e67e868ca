import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../testing/world.ts';

const CONFIG = `
route: {receiver: chat, group_by: [alertname], routes: [{matchers: [team="b"], receiver: hooks}]}
receivers:
  - name: chat
    slack_configs:
      - api_url: 'http://slack.example/T0/secret-part'
        channel: '#{{ .GroupLabels.alertname }}'
        title: '{{ len .Alerts }} {{ .Status }}'
        text: '{{ range .Alerts }}{{ .Annotations.summary }};{{ end }}'
        fields: [{title: who, value: '{{ .CommonLabels.name }}'}]
  - name: hooks
    webhook_configs:
      - {url: 'http://hook/{{ .GroupLabels.alertname }}/token-1'}
      - {url: 'http://bad/token-2'}
  - {name: unused, webhook_configs: [{url: 'http://hook/'}]}
`;

const nodes: TestNode[] = [];

function start(): TestNode {
  const node = new TestNode({ config: CONFIG });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

const preview = (node: TestNode, body: object) =>
  node.request('POST', '/api/v3/templates/preview', body);

describe('a template is previewed', () => {
  it('over alerts that are given, active or past', async () => {
    const node = start();
    const template =
      '{{ .Status }}:{{ range .Alerts }} {{ .Labels.name }} {{ .Annotations.summary }}{{ end }}';
    const given = await preview(node, {
      template,
      alerts: [{ labels: { name: 'x' }, annotations: { summary: 'S' } }],
    });
    expect(given.json).toMatchObject({ result: { text: 'firing: x S' } });
    const alert = { labels: { alertname: 'Down', name: 'y' }, annotations: { summary: 'T' } };
    await node.fire({ ...alert, endsIn: 60 });
    const active = await preview(node, { template, filter: ['alertname="Down"'] });
    expect(active.json).toMatchObject({ alerts: 1, result: { text: 'firing: y T' } });
    await node.fire({ ...alert, endsIn: 0 });
    await node.advance(3_600);
    const past = await preview(node, { template, filter: ['alertname="Down"'], past: true });
    expect(past.json).toMatchObject({ alerts: 2, result: { text: 'firing: y T y T' } });
  });

  it('with an error that names line and column', async () => {
    const node = start();
    for (const [template, line, column] of [
      ['ok\n  {{ .Nowhere.Land }}', 2, 5],
      ['{{ if }}', 1, 0],
    ] as const) {
      const answer = await preview(node, { template });
      const { result } = answer.json as {
        result: { error: { message: string; line: number; column: number } };
      };
      expect(result.error.line, result.error.message).toBe(line);
      if (column > 0) expect(result.error.column).toBeGreaterThanOrEqual(column);
    }
  });

  it('as HTML with what the alerts bring in escaped', async () => {
    const answer = await preview(start(), {
      template: '<b>{{ (index .Alerts 0).Labels.name }}</b>',
      type: 'html',
      alerts: [{ labels: { name: '<i>' } }],
    });
    expect(answer.json).toMatchObject({ result: { text: '<b>&lt;i&gt;</b>' } });
  });

  it('for a receiver: each of its fields that is a template, without secrets', async () => {
    const node = start();
    await node.fire({
      labels: { alertname: 'Down', name: 'y' },
      annotations: { summary: 'S' },
      endsIn: 60,
    });
    const answer = await preview(node, { receiver: 'chat', filter: ['name="y"'] });
    const { integrations } = answer.json as {
      integrations: { integration: string; fields: { field: string; text: string }[] }[];
    };
    expect(integrations[0]!.integration).toBe('slack[0]');
    const texts = Object.fromEntries(
      integrations[0]!.fields.map(({ field, text }) => [field, text]),
    );
    expect(texts).toMatchObject({
      channel: '#Down',
      title: '1 firing',
      text: 'S;',
      'fields[0].value': 'y',
    });
    expect(answer.text).not.toContain('secret-part');
    const hooks = await preview(node, { receiver: 'hooks' });
    expect(hooks.text).not.toContain('token-1');
  });

  it.each([
    [{}, 400, 'template'],
    [{ receiver: 'nobody' }, 404, 'receiver'],
    [{ template: 'x', type: 'xml' }, 400, 'type'],
    [{ template: 'x', reason: 'because' }, 400, 'reason'],
    [{ template: 'x', filter: ['a="b"'] }, 404, 'filter'],
    [{ template: 'x', alerts: [{}] }, 400, 'alerts[0].labels'],
    [{ template: 'x', alerts: Array(101).fill({ labels: { a: 'b' } }) }, 400, 'alerts'],
    [{ template: 'x'.repeat(200_001) }, 400, 'template'],
  ])('unless the request is wrong: %#', async (body, status, field) => {
    const answer = await preview(start(), body);
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ error: { field } });
  });

  it('also when it would run for ever', async () => {
    const endless = '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}';
    const answer = await preview(start(), { template: endless });
    expect(answer.status).toBe(200);
    expect(answer.json).toHaveProperty('result.error.message');
  });
});

describe('a test of a receiver', () => {
  it('goes through its real integrations, is marked, and tells the result of each without secrets', async () => {
    const node = start();
    node.net.endpoint = ({ url }) => ({ status: url.includes('bad') ? 400 : 200 });
    // No body is one without fields.
    const answer = await node.request('POST', '/api/v3/receivers/hooks/test', '');
    expect(answer.status, answer.text).toBe(200);
    expect(answer.json).toMatchObject({
      receiver: 'hooks',
      results: [
        { integration: 'webhook[0]', result: 'sent', error: '' },
        { integration: 'webhook[1]', result: 'failed' },
      ],
    });
    expect(answer.text).toContain('400');
    expect(answer.text).not.toContain('token-2');
    const body = JSON.parse(node.net.deliveries[0]!.body) as {
      groupKey: string;
      alerts: { labels: Record<string, string> }[];
    };
    expect(body.alerts[0]!.labels).toMatchObject({ alertname: 'PolluxTest', pollux_test: 'true' });
    expect(body.groupKey).toMatch(/^pollux_test\//);
    const past = await node.request('GET', '/api/v3/history?kind=notification&text=test');
    expect((past.json as { records: object[] }).records).toHaveLength(2);
  });

  it('leaves the real notifications of the same alerts alone', async () => {
    const node = start();
    await node.fire({ labels: { alertname: 'Down', name: 'y', team: 'b' }, endsIn: 3_600 });
    await node.request('POST', '/api/v3/receivers/hooks/test', { filter: ['team="b"'] });
    const tests = node.sent.length;
    await node.advance(35);
    expect(node.sent.length - tests).toBe(2);
  });

  it('ends when the receiver does not answer, and runs once at a time', async () => {
    const node = start();
    node.net.endpoint = () => 'silent';
    const first = node.request('POST', '/api/v3/receivers/hooks/test', {});
    await node.advance(1);
    const second = await node.request('POST', '/api/v3/receivers/hooks/test', {});
    expect(second.status).toBe(429);
    await node.advance(60);
    expect((await first).json).toMatchObject({
      results: [{ result: 'failed' }, { result: 'failed' }],
    });
  });

  it('needs a receiver that some route uses', async () => {
    const node = start();
    for (const name of ['nobody', 'unused']) {
      const answer = await node.request('POST', `/api/v3/receivers/${name}/test`, {});
      expect(answer.status).toBe(404);
    }
  });
});
