import { existsSync, readFileSync, renameSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { KafkaBroker } from '../testing/kafka-broker.ts';
import { TestNode } from '../testing/world.ts';

const nodes: TestNode[] = [];
const printed: string[] = [];

afterEach(async () => {
  printed.length = 0;
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

function start(outputs: string, isEnabled = true): TestNode {
  const node = new TestNode({
    config: `
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 10s, routes: [{matchers: [team="b"]}]}
inhibit_rules: [{name: crit, source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [cluster]}]
receivers: [{name: hook, webhook_configs: [{url: 'http://hook/'}]}]
event_recorder: {${outputs}}
`,
    settings: isEnabled ? { printEvents: (text) => printed.push(text), hostname: 'am-1' } : {},
  });
  nodes.push(node);
  return node;
}

type Event = {
  readonly '@timestamp': string;
  readonly instance: string;
  readonly data: Readonly<Record<string, unknown>>;
};

function eventsOf(text: string): Event[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);
}

function kindsOf(events: readonly Event[]): string[] {
  return events.flatMap(({ data }) => Object.keys(data));
}

const LABELS = { alertname: 'One', team: 'b' };

/** Kafka's thread loads its sources and a library; on a busy machine that takes long. */
describe('the event recorder', { timeout: 60_000 }, () => {
  it('tells what happens, in the words that 0.34 was seen to write', async () => {
    const node = start('stdout_outputs: [{}]');
    await node.fire({ labels: LABELS, annotations: { s: 'x' } });
    await node.advance(2);
    await node.fire({ labels: LABELS, startsIn: -60, endsIn: -1 });
    await node.advance(15);
    const events = eventsOf(printed.join(''));
    expect(kindsOf(events)).toEqual([
      'alertmanagerStartupEvent',
      'alertCreated',
      'alertGrouped',
      'notification',
      'alertGrouped',
      'notification',
      'alertResolved',
    ]);
    expect(new Set(events.map(({ instance }) => instance))).toEqual(new Set(['am-1']));
    const labels = {
      labels: [
        { key: 'alertname', value: 'One' },
        { key: 'team', value: 'b' },
      ],
    };
    const groupInfo = {
      groupKey: '{}/{team="b"}:{alertname="One"}',
      groupLabels: { labels: [{ key: 'alertname', value: 'One' }] },
      // Recorded from the original, as the hash of the alert is.
      groupId: 'fdd25c404f7e6dc4d56b13b7274c7e473199f92010d750aa166f77599e175c2f',
      receiverName: 'hook',
    };
    const alert = {
      fingerprint: expect.stringMatching(/^\d+$/),
      name: 'One',
      labels,
      annotations: { labels: [{ key: 's', value: 'x' }] },
      startsAt: expect.stringMatching(/Z$/),
    };
    const hash = expect.stringMatching(/^\d+$/);
    expect(events[2]?.data.alertGrouped).toEqual({
      alert: { hash, details: { ...alert, endsAt: expect.stringMatching(/Z$/) } },
      groupInfo,
    });
    expect(events[3]?.data.notification).toEqual({
      alerts: [{ hash, details: { ...alert, endsAt: '0001-01-01T00:00:00Z' } }],
      firingAlerts: [{ hash }],
      groupInfo: {
        ...groupInfo,
        matchers: [{ type: 'TYPE_EQUAL', name: 'team', pattern: 'b', rendered: 'team="b"' }],
      },
      repeatInterval: '14400s',
      reason: 'NOTIFY_REASON_FIRST_NOTIFICATION',
      flushId: '1',
      integration: { name: 'webhook' },
    });
    expect(events[5]?.data.notification).toMatchObject({
      resolvedAlerts: [{ hash }],
      reason: 'NOTIFY_REASON_ALL_ALERTS_RESOLVED',
      flushId: '2',
    });
  });

  it('tells what silences and inhibitions keep back, and silences that are made here', async () => {
    const node = start('stdout_outputs: [{}]');
    const id = await node.silence(['alertname=Two'], 60);
    await node.fire(
      { labels: { alertname: 'Two' } },
      { labels: { alertname: 'Three', cluster: 'e', severity: 'critical' } },
      { labels: { alertname: 'Four', cluster: 'e', severity: 'warning' } },
    );
    await node.advance(2);
    const events = eventsOf(printed.join(''));
    const of = (kind: string): unknown => events.find(({ data }) => kind in data)?.data[kind];
    expect(of('silenceCreated')).toMatchObject({ silence: { id, comment: expect.any(String) } });
    expect(of('silenceMutedAlert')).toMatchObject({
      silence: { id, matchers: [{ rendered: 'alertname="Two"' }] },
      mutedAlert: { labels: { labels: [{ key: 'alertname', value: 'Two' }] } },
    });
    expect(of('inhibitionMutedAlert')).toMatchObject({
      inhibitRules: [{ name: 'crit', equalLabels: ['cluster'] }],
      inhibitingFingerprints: [expect.stringMatching(/^\d+$/)],
    });
    expect(kindsOf(events).filter((kind) => kind === 'notification')).toHaveLength(1);
  });

  it('appends to files, also after they were moved away, and ends with the end of the program', async () => {
    const node = start('');
    const file = `${node.directory}/events.jsonl`;
    node.applyConfig(node.configText.replace('{}\n', `{file_outputs: [{path: '${file}'}]}\n`));
    await node.fire({ labels: LABELS });
    await node.advance(1);
    renameSync(file, `${file}.1`);
    await node.fire({ labels: { alertname: 'Two' } });
    await node.advance(1);
    expect(kindsOf(eventsOf(readFileSync(`${file}.1`, 'utf8')))).toContain('alertCreated');
    expect(kindsOf(eventsOf(readFileSync(file, 'utf8')))).toContain('alertCreated');
    await node.close();
    expect(kindsOf(eventsOf(readFileSync(file, 'utf8'))).at(-1)).toBe('alertmanagerShutdownEvent');
  });

  it('keeps the outputs that it has when a new file cannot be opened', async () => {
    const node = start('stdout_outputs: [{}]');
    const broken = "{file_outputs: [{path: '/nosuch/events.jsonl'}]}";
    node.applyConfig(node.configText.replace('{stdout_outputs: [{}]}', broken));
    await node.fire({ labels: LABELS });
    await node.advance(1);
    expect(node.logged.join('\n')).toContain('the earlier ones stay');
    expect(kindsOf(eventsOf(printed.join('')))).toContain('alertCreated');
  });

  it('posts events, some attempts each, and shows no secret', async () => {
    const node = start("webhook_outputs: [{url: 'http://events/hidden-pw', retry_backoff: 1s}]");
    let refusals = 4;
    node.net.endpoint = ({ url }) =>
      url.startsWith('http://events/') && refusals-- > 0 ? { status: 500 } : { status: 200 };
    await node.fire({ labels: LABELS });
    await node.advance(10);
    const posted = node.net.deliveries.filter(({ url }) => url.startsWith('http://events/'));
    const told = new Set(posted.map(({ body }) => body));
    // Startup, created, grouped, notification: each once, and four attempts more.
    expect([told.size, posted.length]).toEqual([4, 8]);
    expect(posted[0]?.headers['content-type']).toBe('application/json');
    const { text } = await node.request('GET', '/metrics');
    expect(text).toContain(
      'alertmanager_events_recorded_total{event_type="alert_created",output="webhook:http://events",result="success"} 1\n',
    );
    expect([...node.logged, text].join('\n')).not.toContain('hidden-pw');
  });

  it('posts batches by number, size and time, and counts what it gives up', async () => {
    const batch = 'batch: true, batch_max_events: 2, batch_flush_interval: 5s, max_retries: 1';
    const node = start(`webhook_outputs: [{url: 'http://events/', ${batch}}]`);
    await node.fire({ labels: LABELS });
    await node.advance(0.5);
    const posted = (): unknown[][] =>
      node.net.deliveries
        .filter(({ url }) => url === 'http://events/')
        .map(({ body }) => JSON.parse(body) as unknown[]);
    // The third waits for another, which is the notification.
    expect(posted().map(({ length }) => length)).toEqual([2]);
    await node.advance(2);
    expect(posted().map(({ length }) => length)).toEqual([2, 2]);
    node.net.endpoint = () => ({ status: 400 });
    await node.silence(['alertname=Two'], 60);
    await node.advance(6);
    expect(posted().map(({ length }) => length)).toEqual([2, 2, 1]);
    const { text } = await node.request('GET', '/metrics');
    expect(text).toContain(
      'alertmanager_event_output_drops_total{output="webhook:http://events"} 1\n',
    );
  });

  it('goes on to another topic with a reload, and tells Kafka of its end', async () => {
    const kafka = await KafkaBroker.start();
    try {
      const topic = (name: string): string =>
        `kafka_outputs: [{brokers: ['127.0.0.1:${kafka.port}'], topic: ${name}}]`;
      const node = start(`${topic('one')}, stdout_outputs: [{}]`);
      await node.fire({ labels: LABELS });
      await node.advance(2);
      await kafka.until(() => kafka.records.length === 4);
      node.applyConfig(node.configText.replace('topic: one', 'topic: two'));
      await node.fire({ labels: { alertname: 'Two' } });
      await node.advance(0.5);
      await kafka.until(() => kafka.records.length === 7);
      // The grace is of the clock, which stands still: all is delivered.
      await node.alertmanager.close();
      const kindsIn = (name: string): string[] => {
        const own = kafka.records.filter((record) => record.topic === name);
        expect(new Set(own.map(({ key }) => key))).toEqual(new Set(['am-1']));
        return kindsOf(own.map(({ value }) => JSON.parse(value) as Event));
      };
      expect(kindsIn('one')).toEqual([
        'alertmanagerStartupEvent',
        'alertCreated',
        'alertGrouped',
        'notification',
      ]);
      // A reload groups anew.
      expect(kindsIn('two')).toEqual([
        'alertGrouped',
        'alertCreated',
        'alertGrouped',
        'alertmanagerShutdownEvent',
      ]);
      expect(kafka.records.map(({ value }) => value)).toEqual(printed.join('').trim().split('\n'));
    } finally {
      await kafka.close();
    }
  });

  it('goes on with an output that a reload does not change, and with what waits in it', async () => {
    const kafka = await KafkaBroker.start();
    try {
      const output = `kafka_outputs: [{brokers: ['127.0.0.1:${kafka.port}'], topic: t}]`;
      const webhook = "webhook_outputs: [{url: 'http://events/hidden', retry_backoff: 20s}]";
      const node = start(`${output}, ${webhook}`);
      node.net.endpoint = ({ url }) => ({ status: url.startsWith('http://events/') ? 500 : 200 });
      await node.fire({ labels: LABELS });
      await node.advance(2);
      await kafka.until(() => kafka.records.length === 4);
      const [before] = [node.net.deliveries.filter(({ url }) => url.startsWith('http://events/'))];
      node.applyConfig(node.configText.replace('group_interval: 10s', 'group_interval: 11s'));
      await node.fire({ labels: { alertname: 'Two' } });
      await node.advance(0.5);
      await kafka.until(() => kafka.records.length === 7);
      expect(kafka.connections).toBe(1);
      // All of its workers wait for their next attempts, which a new output's would not.
      const tried = node.net.deliveries.filter(({ url }) => url.startsWith('http://events/'));
      expect(tried.length).toBe(before?.length);
      node.applyConfig(node.configText.replace('events/hidden', 'events/other'));
      await node.fire({ labels: { alertname: 'Three' } });
      await node.advance(0.5);
      expect(node.net.deliveries.some(({ url }) => url === 'http://events/other')).toBe(true);
      expect(kafka.connections).toBe(1);
    } finally {
      await kafka.close();
    }
  });

  it('delivers notifications and other events while a broker of Kafka says nothing', async () => {
    const kafka = await KafkaBroker.start();
    kafka.mood = 'hang';
    try {
      const output = `kafka_outputs: [{brokers: ['127.0.0.1:${kafka.port}'], topic: t}]`;
      const node = start(`${output}, stdout_outputs: [{}]`);
      await node.fire({ labels: LABELS });
      await node.advance(2);
      await kafka.until(() => kafka.connections === 1);
      expect(node.net.deliveries.filter(({ url }) => url === 'http://hook/')).toHaveLength(1);
      expect(kindsOf(eventsOf(printed.join('')))).toContain('notification');
      await node.close();
    } finally {
      await kafka.close();
    }
  });

  it('drops what its queue does not hold, and nobody waits for it', async () => {
    const node = start('stdout_outputs: [{}]');
    const alerts = Array.from({ length: 6_000 }, (_, n) => ({
      labels: { alertname: 'Many', n: `${n}` },
    }));
    await node.fire(...alerts);
    await node.advance(3);
    const { text } = await node.request('GET', '/metrics');
    const dropped = [...text.matchAll(/^alertmanager_events_dropped_total\{.*\} (\d+)$/gm)];
    const lost = dropped.reduce((sum, [, count]) => sum + Number(count), 0);
    const kept = eventsOf(printed.join('')).length;
    // Two for each alert, the start and the notification.
    expect(lost).toBeGreaterThan(0);
    expect(lost + kept).toBe(2 * alerts.length + 2);
  });

  it('does nothing without its feature flag, and says so', async () => {
    const node = start("file_outputs: [{path: 'nosuch/events.jsonl'}]", false);
    await node.fire({ labels: LABELS });
    await node.advance(2);
    expect(existsSync('nosuch')).toBe(false);
    expect(node.logged.join('\n')).toContain('--enable-feature=event-recorder');
  });
});
