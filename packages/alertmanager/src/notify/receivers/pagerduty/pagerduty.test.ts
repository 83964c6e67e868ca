import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../../../testing/world.ts';

let node: TestNode | null = null;
afterEach(async () => {
  await node?.close();
  node?.removeDirectory();
  node = null;
});

function start(settings: string): TestNode {
  node = new TestNode({
    config: `
route: {receiver: r, group_wait: 1s, group_by: [alertname], group_interval: 1m}
receivers: [{name: r, pagerduty_configs: [{client: c, client_url: u, ${settings}}]}]
`,
  });
  node.net.endpoint = () => ({ status: 202 });
  return node;
}

const V1 =
  "service_key: key-12345, description: '{{ .Status }}', details: {firing: a, resolved: b}";

describe('PagerDuty', () => {
  it('gets events of the first generation by a service key', async () => {
    const world = start(V1);
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 30 });
    await world.advance(100);
    const [trigger, resolve] = world.net.deliveries.map(({ body }) => JSON.parse(body));
    expect(world.net.deliveries[0]?.url).toBe(
      'https://events.pagerduty.com/generic/2010-04-15/create_event.json',
    );
    expect(trigger).toEqual({
      service_key: 'key-12345',
      incident_key: expect.stringMatching(/^[0-9a-f]{64}$/),
      event_type: 'trigger',
      event_action: '',
      description: 'firing',
      payload: null,
      client: 'c',
      client_url: 'u',
      details: { firing: 'a', resolved: 'b', num_firing: 1, num_resolved: 0 },
    });
    expect(resolve).toMatchObject({ event_type: 'resolve', description: 'resolved' });
    expect(resolve).not.toHaveProperty('client');
  });

  it('of the first generation says 403 for its rate', async () => {
    const world = start(V1);
    let count = 0;
    world.net.endpoint = () => ({ status: count++ === 0 ? 403 : 202 });
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3000 });
    await world.advance(30);
    expect(await world.results()).toMatchObject([{ result: 'sent', attempts: 2 }]);
  });

  it('gets no event over 512,000 bytes: details give way', async () => {
    const world = start("routing_key: key-12345, url: 'http://pd/', description: d");
    await world.fire({
      labels: { alertname: 'Down' },
      annotations: { text: '字'.repeat(200_000) },
      endsIn: 3000,
    });
    await world.advance(5);
    const [{ body } = { body: '' }] = world.net.deliveries;
    expect(Buffer.byteLength(body)).toBeLessThan(2_000);
    expect(JSON.parse(body).payload.custom_details).toEqual({
      error:
        'Custom details have been removed because the original event exceeds the maximum size of 512KB',
    });
  });

  it('explains a bad request', async () => {
    const world = start("routing_key: key-12345, url: 'http://pd/', description: d");
    world.net.endpoint = () => ({
      status: 400,
      body: '{"status":"invalid","message":"Event object is invalid","errors":["a","b"]}',
    });
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3000 });
    await world.advance(5);
    expect(world.logged.join('\n')).toContain(
      'unexpected status code 400: Event object is invalid: a,b',
    );
  });

  it('with an empty key after its template fails', async () => {
    const world = start(
      "routing_key: '{{ .CommonLabels.nobody }}', url: 'http://pd/', description: d",
    );
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3000 });
    await world.advance(5);
    expect(world.logged.join('\n')).toContain('routing key cannot be empty');
  });
});
