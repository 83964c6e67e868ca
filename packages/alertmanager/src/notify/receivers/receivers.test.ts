import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { Delivery, Endpoint } from '../../testing/fake-net.ts';
import { TestNode } from '../../testing/world.ts';

const GROUP_KEY = '{}:{alertname="Down"}';
const HASH = createHash('sha256').update(GROUP_KEY).digest('hex');

let node: TestNode | null = null;
afterEach(async () => {
  await node?.close();
  node?.removeDirectory();
  node = null;
});

type Case = {
  readonly kind: string;
  /** The integration's block, in YAML's flow form. */
  readonly block: string;
  /** What its service answers to a message that it takes. */
  readonly accepts?: Endpoint;
  /** `METHOD address`, for the first notification. */
  readonly asks: readonly string[];
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** A part of the second body, when all is resolved; the receiver is told of it by `send_resolved`. */
  readonly resolved?: unknown;
  readonly retries?: { readonly on: readonly number[]; readonly not: readonly number[] };
  readonly secrets: readonly string[];
};

const OK: Endpoint = () => ({ status: 200, body: 'ok' });
const JSON_HEADERS = { 'content-type': 'application/json' };
const T = "'{{ .Status }} {{ .CommonLabels.alertname }}'";

const CASES: readonly Case[] = [
  {
    kind: 'slack',
    block: `{api_url: 'http://slack/services/hidden1', send_resolved: true, channel: '#ops', username: u, title: ${T}, title_link: 'http://l', text: t, fallback: f, callback_id: '', footer: '', color: red, pretext: '', icon_emoji: '', icon_url: '', fields: [{title: a, value: b}, {title: c, value: d, short: true}], actions: [{type: button, text: go, url: 'http://x', name: dropped}, {type: button, text: ack, name: n, confirm: {text: sure}}]}`,
    asks: ['POST http://slack/services/hidden1'],
    body: {
      channel: '#ops',
      username: 'u',
      attachments: [
        {
          title: 'firing Down',
          title_link: 'http://l',
          text: 't',
          fallback: 'f',
          callback_id: '',
          fields: [
            { title: 'a', value: 'b', short: false },
            { title: 'c', value: 'd', short: true },
          ],
          actions: [
            { type: 'button', text: 'go', url: 'http://x' },
            { type: 'button', text: 'ack', name: 'n', confirm: { text: 'sure' } },
          ],
          footer: '',
          color: 'red',
          mrkdwn_in: ['fallback', 'pretext', 'text'],
        },
      ],
    },
    retries: { on: [500, 503], not: [400, 404, 429] },
    secrets: ['hidden1'],
  },
  {
    kind: 'pagerduty',
    block: `{routing_key: hidden-key, url: 'http://pd/enqueue', client: c, client_url: 'http://c', description: ${T}, details: {firing: none, resolved: none, num_firing: '{{ len .Alerts.Firing }}', deep: {list: ['{{ .Status }}', 7]}}, links: [{href: 'http://l', text: l}, {href: '', text: dropped}], images: [{src: s, alt: a, href: h}], class: k}`,
    asks: ['POST http://pd/enqueue'],
    body: {
      routing_key: 'hidden-key',
      client: 'c',
      client_url: 'http://c',
      event_action: 'trigger',
      dedup_key: HASH,
      images: [{ src: 's', alt: 'a', href: 'h' }],
      links: [{ href: 'http://l', text: 'l' }],
      payload: {
        summary: 'firing Down',
        source: 'c',
        severity: 'error',
        class: 'k',
        custom_details: {
          firing: 'none',
          resolved: 'none',
          num_firing: 1,
          num_resolved: 0,
          deep: { list: ['firing', 7] },
        },
      },
    },
    resolved: { event_action: 'resolve', dedup_key: HASH },
    retries: { on: [429, 500], not: [400, 403] },
    secrets: ['hidden-key'],
  },
  {
    kind: 'opsgenie',
    block: `{api_key: hidden-key, api_url: 'http://og', message: ${T}, description: '', source: s, details: {k: '{{ .Status }}'}, tags: ' a,,b', responders: [{name: '{{ .CommonLabels.nobody }}', type: '{{ .CommonLabels.nobody }}'}, {name: 'x,y', type: teams}, {id: i, type: User}]}`,
    asks: ['POST http://og/v2/alerts'],
    headers: { authorization: 'GenieKey hidden-key' },
    body: {
      alias: HASH,
      message: 'firing Down',
      details: { alertname: 'Down', k: 'firing' },
      source: 's',
      responders: [
        { name: 'x', type: 'team' },
        { name: 'y', type: 'team' },
        { id: 'i', type: 'User' },
      ],
      tags: ['a', 'b'],
    },
    resolved: { source: 's' },
    retries: { on: [429, 500], not: [400, 403] },
    secrets: ['hidden-key'],
  },
  {
    kind: 'wechat',
    block: `{api_secret: hidden-secret, api_url: 'http://wx/cgi-bin', corp_id: corp, message: ${T}, to_user: u, to_party: '', to_tag: '', agent_id: '7', send_resolved: true}`,
    accepts: ({ url }) => ({
      status: 200,
      body: url.includes('gettoken')
        ? '{"errcode":0,"access_token":"hidden-token"}'
        : '{"errcode":0}',
    }),
    asks: [
      'GET http://wx/cgi-bin/gettoken?corpid=corp&corpsecret=hidden-secret',
      'POST http://wx/cgi-bin/message/send?access_token=hidden-token',
    ],
    body: {
      text: { content: 'firing Down' },
      touser: 'u',
      agentid: '7',
      safe: '0',
      msgtype: 'text',
      markdown: { content: '' },
    },
    secrets: ['hidden-secret', 'hidden-token'],
  },
  {
    kind: 'victorops',
    block: `{api_key: hidden-key, api_url: 'http://vo/alert', routing_key: 'team {{ .Status }}', message_type: Bad, state_message: ${T}, entity_display_name: e, monitoring_tool: m, custom_fields: {x: '{{ .Status }}'}}`,
    asks: ['POST http://vo/alert/hidden-key/team%20firing'],
    body: {
      message_type: 'CRITICAL',
      entity_id: HASH,
      entity_display_name: 'e',
      state_message: 'firing Down',
      monitoring_tool: 'm',
      x: 'firing',
    },
    resolved: { message_type: 'RECOVERY' },
    retries: { on: [502], not: [400, 429] },
    secrets: ['hidden-key'],
  },
  {
    kind: 'discord',
    block: `{webhook_url: 'http://dc/api/hidden1', title: ${T}, message: m, content: c, username: u}`,
    asks: ['POST http://dc/api/hidden1'],
    body: {
      content: 'c',
      embeds: [{ title: 'firing Down', description: 'm', color: 0x992d22 }],
      username: 'u',
    },
    resolved: { embeds: [{ title: 'resolved Down', description: 'm', color: 0x2ecc71 }] },
    retries: { on: [500], not: [404, 429] },
    secrets: ['hidden1'],
  },
  {
    kind: 'webex',
    block: `{api_url: 'http://wx/messages', room_id: r, message: ${T}, http_config: {authorization: {credentials: hidden-token}}}`,
    asks: ['POST http://wx/messages'],
    headers: { authorization: 'Bearer hidden-token' },
    body: { markdown: 'firing Down', roomId: 'r' },
    secrets: ['hidden-token'],
  },
  {
    kind: 'msteams',
    block: `{webhook_url: 'http://ms/hidden1', title: ${T}, summary: s, text: t}`,
    asks: ['POST http://ms/hidden1'],
    body: {
      '@context': 'http://schema.org/extensions',
      type: 'MessageCard',
      title: 'firing Down',
      summary: 's',
      text: 't',
      themeColor: '8C1A1A',
    },
    resolved: { themeColor: '2DC72D' },
    secrets: ['hidden1'],
  },
  {
    kind: 'msteamsv2',
    block: `{webhook_url: 'http://ms/hidden1', title: ${T}, text: t}`,
    asks: ['POST http://ms/hidden1'],
    body: {
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          contentUrl: null,
          content: {
            $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
            type: 'AdaptiveCard',
            version: '1.2',
            body: [
              {
                type: 'TextBlock',
                text: 'firing Down',
                weight: 'Bolder',
                size: 'Medium',
                wrap: true,
                style: 'heading',
                color: 'Attention',
              },
              { type: 'TextBlock', text: 't', wrap: true },
            ],
            msteams: { width: 'full' },
          },
        },
      ],
    },
    secrets: ['hidden1'],
  },
  {
    kind: 'rocketchat',
    block: `{api_url: 'http://rc/', token: hidden-token, token_id: hidden-id, send_resolved: true, channel: '#c', title: ${T}, title_link: '', text: t, emoji: ':x:', icon_url: '', fields: [{title: a, value: b}], actions: [{type: other, text: go, url: 'http://u'}]}`,
    accepts: () => ({ status: 200, body: '{"success":true}' }),
    asks: ['POST http://rc/api/v1/chat.postMessage'],
    headers: { 'x-auth-token': 'hidden-token', 'x-user-id': 'hidden-id' },
    body: {
      channel: '#c',
      emoji: ':x:',
      attachments: [
        {
          title: 'firing Down',
          text: 't',
          color: 'red',
          fields: [{ short: false, title: 'a', value: 'b' }],
          actions: [
            {
              type: 'button',
              text: 'go',
              url: 'http://u',
              is_webview: false,
              msg_in_chat_window: false,
            },
          ],
        },
      ],
    },
    secrets: ['hidden-token', 'hidden-id'],
  },
  {
    kind: 'mattermost',
    block: `{webhook_url: 'http://mm/hooks/hidden1', channel: c, username: u, text: ${T}, fallback: f, color: red, title: t, title_link: '', fields: [{title: a, value: b, short: true}], props: {card: k}, priority: {priority: Important, requested_ack: true, persistent_notifications: true}}`,
    asks: ['POST http://mm/hooks/hidden1'],
    body: {
      channel: 'c',
      username: 'u',
      attachments: [
        {
          text: 'firing Down',
          fallback: 'f',
          color: 'red',
          title: 't',
          fields: [{ title: 'a', value: 'b', short: true }],
        },
      ],
      props: { card: 'k' },
      // Persistent notifications are for urgent ones only.
      priority: { priority: 'important', requested_ack: true },
    },
    secrets: ['hidden1'],
  },
  {
    kind: 'jira',
    block: `{api_url: 'http://jira/rest/api/2', project: OPS, issue_type: Bug, summary: ${T}, description: d, priority: High, labels: [z, a], fields: {custom_1: {value: '{{ .Status }}'}, num: '{{ len .Alerts }}'}, http_config: {basic_auth: {username: u, password: hidden-pw}}}`,
    accepts: ({ url }) => ({
      status: 200,
      body: url.endsWith('/search') ? '{"issues":[]}' : '{"key":"OPS-1"}',
    }),
    asks: ['POST http://jira/rest/api/2/search', 'POST http://jira/rest/api/2/issue'],
    headers: { 'accept-language': 'en' },
    body: {
      fields: {
        summary: 'firing Down',
        description: 'd',
        issuetype: { name: 'Bug' },
        labels: [`ALERT{${HASH}}`, 'a', 'z'],
        priority: { name: 'High' },
        project: { key: 'OPS' },
        custom_1: { value: 'firing' },
        num: 1,
      },
    },
    retries: { on: [429, 500], not: [400] },
    secrets: ['hidden-pw'],
  },
  {
    kind: 'telegram',
    block: `{api_url: 'http://tg', bot_token: hidden-token, chat_id: -42, message_thread_id: 7, disable_notifications: true, message: '<b>{{ .CommonLabels.alertname }}</b> {{ .CommonAnnotations.summary }}'}`,
    accepts: () => ({ status: 200, body: '{"ok":true,"result":{}}' }),
    asks: ['POST http://tg/bothidden-token/sendMessage'],
    body: {
      chat_id: '-42',
      text: '<b>Down</b> ',
      message_thread_id: '7',
      disable_notification: 'true',
      disable_web_page_preview: 'true',
      parse_mode: 'HTML',
    },
    retries: { on: [400, 429, 500], not: [] },
    secrets: ['hidden-token'],
  },
  {
    kind: 'pushover',
    block: `{token: hidden-token, user_key: hidden-user, title: ${T}, message: ' ', url: 'http://u', ttl: 90s, priority: '2'}`,
    asks: [
      'POST https://api.pushover.net/1/messages.json?device=&expire=3600&message=%28no+details%29&priority=2&retry=60&sound=&title=firing+Down&token=hidden-token&ttl=90&url=http%3A%2F%2Fu&url_title=&user=hidden-user',
    ],
    body: null,
    headers: { 'content-type': 'text/plain' },
    retries: { on: [500], not: [400, 429] },
    secrets: ['hidden-token', 'hidden-user'],
  },
  {
    kind: 'sns',
    block: `{api_url: 'http://sns/', sigv4: {region: eu-west-1, access_key: AKID, secret_key: hidden-key}, topic_arn: 'arn:t.fifo', subject: ${T}, message: m, attributes: {k: '{{ .Status }}'}}`,
    accepts: () => ({ status: 200, body: '<PublishResponse/>' }),
    asks: ['POST http://sns/'],
    body: `Action=Publish&Version=2010-03-31&TopicArn=arn%3At.fifo&MessageDeduplicationId=${HASH}&MessageGroupId=${HASH}&Message=m&Subject=firing+Down&MessageAttributes.entry.1.Name=k&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=firing`,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-amz-date': '20260105T100001Z',
      authorization: expect.stringMatching(
        /^AWS4-HMAC-SHA256 Credential=AKID\/20260105\/eu-west-1\/sns\/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}$/,
      ) as unknown as string,
    },
    retries: { on: [500], not: [400, 403] },
    secrets: ['hidden-key'],
  },
  {
    kind: 'incidentio',
    block: `{url: 'http://inc/alerts', alert_source_token: hidden-token}`,
    asks: ['POST http://inc/alerts'],
    headers: { authorization: 'Bearer hidden-token' },
    body: expect.objectContaining({ version: '1', receiver: 'r', groupKey: GROUP_KEY }),
    retries: { on: [429, 500], not: [400] },
    secrets: ['hidden-token'],
  },
];

function start({ kind, block }: Case): TestNode {
  node = new TestNode({
    config: `
route: {receiver: r, group_wait: 1s, group_by: [alertname], group_interval: 5m, repeat_interval: 4h}
receivers: [{name: r, ${kind}_configs: [${block}]}]
`,
  });
  return node;
}

const fire = (world: TestNode, endsIn = 60) =>
  world.fire({ labels: { alertname: 'Down' }, endsIn });

const asked = ({ method, url }: Delivery): string => `${method} ${url}`;

describe.each(CASES)('$kind', (each) => {
  it('sends what its service expects', async () => {
    const world = start(each);
    world.net.endpoint = each.accepts ?? OK;
    await fire(world);
    await world.advance(2);
    const { deliveries } = world.net;
    expect(deliveries.map(asked)).toEqual(each.asks);
    const last = deliveries.at(-1)!;
    if (typeof each.body === 'string') expect(last.body).toBe(each.body);
    else if (each.body === null) expect(last.body).toBe('');
    else expect(JSON.parse(last.body)).toEqual(each.body);
    expect(last.headers).toMatchObject({
      ...JSON_HEADERS,
      'user-agent': 'Alertmanager/0.34.0',
      ...each.headers,
    });
    expect(await world.results()).toMatchObject([{ result: 'sent', attempts: 1 }]);
    if (each.resolved === undefined) return;
    await world.advance(600);
    expect(deliveries.length).toBeGreaterThan(each.asks.length);
    expect(JSON.parse(deliveries.at(-1)!.body)).toMatchObject(each.resolved as object);
  });

  it.each([
    ...(each.retries?.on ?? [500]).map((status) => [status, true] as const),
    ...(each.retries?.not ?? []).map((status) => [status, false] as const),
  ])('answered by %i is tried again: %s', async (status, isTriedAgain) => {
    const world = start(each);
    const accepts = each.accepts ?? OK;
    let refusals = 1;
    world.net.endpoint = (delivery) => {
      const isMessage = !/gettoken|search/.test(delivery.url);
      return isMessage && refusals-- > 0 ? { status, body: 'no' } : accepts(delivery);
    };
    await fire(world);
    await world.advance(120);
    const result = isTriedAgain ? 'sent' : 'failed';
    expect(await world.results()).toMatchObject([{ result, attempts: isTriedAgain ? 2 : 1 }]);
  });

  it('whose first attempt gets no answer is tried again, except where that could open a second issue', async () => {
    const world = start(each);
    const accepts = each.accepts ?? OK;
    let failures = 1;
    world.net.endpoint = (delivery) => (failures-- > 0 ? 'refused' : accepts(delivery));
    await fire(world);
    await world.advance(60);
    const isTriedAgain = each.kind !== 'jira';
    const result = isTriedAgain ? 'sent' : 'failed';
    expect(await world.results()).toMatchObject([{ result, attempts: isTriedAgain ? 2 : 1 }]);
  });

  it('never shows a secret: not in logs, answers, metrics, errors', async () => {
    const world = start(each);
    // A service that quotes what it was given.
    world.net.endpoint = ({ url, headers, body }) => ({
      status: 400,
      body: `refused ${url} ${JSON.stringify(headers)} ${body}`,
    });
    await fire(world);
    await world.advance(30);
    const status = (await world.request('GET', '/api/v2/status')).text;
    const shown = [
      world.logged.join('\n'),
      status,
      (await world.request('GET', '/api/v2/pollux/notifications')).text,
      (await world.request('GET', '/metrics')).text,
    ].join('\n');
    expect(shown).toMatch(/Notify failed|will retry later/);
    expect(status).toContain('<secret>');
    for (const secret of each.secrets) expect(shown).not.toContain(secret);
  });

  it('that hangs, resets or talks garbage fails within its flush, and another receiver is not held', async () => {
    for (const misbehaving of ['silent', 'refused', 'garbage'] as const) {
      node = new TestNode({
        config: `
route: {receiver: r, group_wait: 1s, group_by: [alertname], group_interval: 2m}
receivers: [{name: r, webhook_configs: [{url: 'http://good/'}], ${each.kind}_configs: [${each.block}]}]
`,
      });
      const world = node;
      world.net.endpoint = ({ url }) => {
        if (url === 'http://good/') return { status: 200 };
        return misbehaving === 'garbage' ? { status: 500, body: '\u0000<html>{' } : misbehaving;
      };
      await fire(world, 3600);
      await world.advance(2);
      expect(world.net.deliveries.map(({ url }) => url)).toContain('http://good/');
      await world.advance(125);
      const outcomes = new Map(
        (await world.results()).map((each) => [each.integration, each.result]),
      );
      expect(outcomes).toEqual(
        new Map([
          ['webhook[0]', 'sent'],
          [`${each.kind}[0]`, 'failed'],
        ]),
      );
      await world.close();
      world.removeDirectory();
    }
  });
});
