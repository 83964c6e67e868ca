import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../testing/world.ts';
import { eventProtobuf } from './event-protobuf.ts';

/** Upstream's numbers, written down apart from the encoder's. */
const SCHEMA = readFileSync(new URL('../../testdata/events.proto', import.meta.url), 'utf8');
const EVENT = protobuf.parse(SCHEMA).root.lookupType('Event');

const nodes: TestNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    await node.close();
    node.removeDirectory();
  }
});

type Json = { readonly data: Readonly<Record<string, unknown>> };

function decoded(bytes: Uint8Array): object {
  const { timestamp, ...event } = EVENT.toObject(EVENT.decode(bytes), {
    longs: String,
    enums: String,
  });
  return asJson({ '@timestamp': timestamp, ...event }, '') as object;
}

/** Times and durations as protobuf's JSON has them; members of a message that came without any are those that it has. */
function asJson(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((item) => asJson(item, name));
  if (typeof value !== 'object' || value === null) return value;
  const { seconds = '0', nanos = 0 } = value as { seconds?: string; nanos?: number };
  if (name === 'repeatInterval') return `${seconds}s`;
  if (/timestamp$|At$/.test(name)) {
    const text = new Date(Number(seconds) * 1_000 + nanos / 1e6).toISOString();
    return name === '@timestamp' ? text : text.replace('.000Z', 'Z');
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, asJson(one, key)]));
}

describe('the binary form of events', () => {
  it('says for each kind what the form in JSON says, as another decoder reads it', async () => {
    const printed: string[] = [];
    const node = new TestNode({
      config: `
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 10s, routes: [{matchers: ['team!~"x.*"']}]}
inhibit_rules: [{name: crit, source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [cluster]}]
receivers: [{name: hook, webhook_configs: [{url: 'http://hook/'}, {url: 'http://hook/2'}]}]
event_recorder: {stdout_outputs: [{}]}
`,
      settings: { printEvents: (text) => printed.push(text), hostname: 'am-1' },
    });
    nodes.push(node);
    await node.silence(['alertname=Two', 'n=~.+'], 60);
    await node.fire(
      { labels: { alertname: 'Two', n: '2' } },
      { labels: { alertname: 'Three', cluster: 'e', severity: 'critical' } },
      {
        labels: { alertname: 'Four', cluster: 'e', severity: 'warning' },
        annotations: { text: '多语言 🚒', empty: '' },
      },
    );
    await node.advance(2);
    await node.fire({
      labels: { alertname: 'Three', cluster: 'e', severity: 'critical' },
      startsIn: -60,
      endsIn: -1,
    });
    await node.advance(15);
    await node.alertmanager.close();
    const events = printed
      .join('')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    const kinds = new Set(events.flatMap(({ data }) => Object.keys(data)));
    expect(kinds).toEqual(
      new Set([
        'alertmanagerStartupEvent',
        'alertmanagerShutdownEvent',
        'alertCreated',
        'alertGrouped',
        'alertResolved',
        'notification',
        'silenceCreated',
        'silenceMutedAlert',
        'inhibitionMutedAlert',
      ]),
    );
    for (const event of events) expect(decoded(eventProtobuf(event))).toEqual(event);
    const edited = { ...events[0], data: { silenceUpdated: events[1]?.data.silenceCreated } };
    expect(edited.data.silenceUpdated).toHaveProperty('silence.id');
    const placed = { ...edited, clusterPosition: 3 };
    expect(decoded(eventProtobuf(placed))).toEqual(placed);
  });

  it('refuses what the schema has no number for', () => {
    expect(() => eventProtobuf({ data: { strange: {} } })).toThrow('no number for strange');
    const reason = { data: { notification: { reason: 'NOTIFY_REASON_OTHER' } } };
    expect(() => eventProtobuf(reason)).toThrow('no number for NOTIFY_REASON_OTHER');
  });
});
