import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { ConfigError } from '@pollux/config';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';
import { marshalConfig } from './marshal.ts';

const read = (text: string) => readConfig(text, { file: 'am.yml' });
const BASE = 'route: {receiver: r}\nreceivers: [{name: r}]\n';

const conformance =
  process.env.POLLUX_CONFORMANCE ??
  new URL('../../../../../shared/conformance', import.meta.url).pathname;
const FIXTURES = `${conformance}/alertmanager-config`;
const hasFixtures = existsSync(FIXTURES);
const why = hasFixtures ? '' : ' (skipped: no conformance data)';

describe.skipIf(!hasFixtures)(`the fixtures of the original${why}`, () => {
  /** What upstream's own tests expect of the bad ones; all others load. */
  const REFUSED: Readonly<Record<string, string>> = {
    'conf.mattermost-both-webhook-url-and-file.yml':
      'at most one of mattermost_webhook_url & mattermost_webhook_url_file must be configured',
    'conf.mattermost-no-webhook-url.yml':
      'missing webhook_url or webhook_url_file on mattermost_config',
    'conf.mattermost-valid-receiver-both-webhook-url-and-file.yml':
      'at most one of mattermost_webhook_url & mattermost_webhook_url_file must be configured',
    'conf.nil-match_re-route.yml': '',
    'conf.nil-source_match_re-inhibition.yml': '',
    'conf.nil-target_match_re-inhibition.yml': '',
    'conf.opsgenie-both-file-and-apikey.yml':
      'at most one of opsgenie_api_key & opsgenie_api_key_file must be configured',
    'conf.opsgenie-default-apikey-old-team.yml': 'unknown field "teams"',
    'conf.opsgenie-no-apikey.yml': 'no global OpsGenie API Key set either inline or in a file',
    'conf.rocketchat-both-token-and-tokenfile.yml':
      'at most one of rocketchat_token & rocketchat_token_file must be configured',
    'conf.rocketchat-both-tokenid-and-tokenidfile.yml':
      'at most one of rocketchat_token_id & rocketchat_token_id_file must be configured',
    'conf.rocketchat-no-token.yml': 'no global Rocketchat Token set either inline or in a file',
    'conf.slack-both-file-and-token.yml':
      'at most one of slack_app_token & slack_app_token_file must be configured',
    'conf.slack-both-file-and-url.yml':
      'at most one of slack_api_url & slack_api_url_file must be configured',
    'conf.slack-both-url-and-token.yml':
      'at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured',
    'conf.slack-no-api-url-or-token.yml':
      'no Slack API URL nor App token set either inline or in a file',
    'conf.slack-update-message-and-webhook.yml':
      'update_message can only be used with bot tokens. api_url must be set to https://slack.com/api/chat.postMessage',
    'conf.smtp-both-password-and-file.yml':
      'at most one of smtp_auth_password & smtp_auth_password_file must be configured',
    'conf.sns-invalid.yml':
      'must provide either a Target ARN, Topic ARN, or Phone Number for SNS config',
    'conf.telegram-both-bot-token-and-file.yml':
      'at most one of telegram_bot_token & telegram_bot_token_file must be configured',
    'conf.telegram-no-bot-token.yml': 'missing bot_token or bot_token_file on telegram_config',
    'conf.telegram-valid-receiver-both-bot-token-and-file.yml':
      'at most one of telegram_bot_token & telegram_bot_token_file must be configured',
    'conf.victorops-both-file-and-apikey.yml':
      'at most one of victorops_api_key & victorops_api_key_file must be configured',
    'conf.victorops-no-apikey.yml': 'no global VictorOps API Key set',
    'conf.wechat-both-file-and-secret.yml':
      'at most one of wechat_api_secret & wechat_api_secret_file must be configured',
    'conf.wechat-no-api-secret.yml': 'no global Wechat Api Secret set either inline or in a file',
  };
  const names = hasFixtures ? readdirSync(FIXTURES) : [];

  it.each(names)('%s loads or is refused with its place', (name) => {
    const text = readFileSync(`${FIXTURES}/${name}`, 'utf8');
    const load = (): unknown => readConfig(text, { file: name });
    const message = REFUSED[name];
    if (message === undefined) {
      load();
      return;
    }
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(new RegExp(`^${name}(:\\d+:\\d+)?: `));
    if (message !== '') expect(load).toThrow(message);
  });
});

describe('a bad configuration is refused with its place and reason', () => {
  it.each([
    ['', 'no route provided in config'],
    ['route: {receiver: r}', 'am.yml:1:8: route: undefined receiver "r" used in route'],
    ['route: {}\nreceivers: [{name: r}]', 'root route must specify a default receiver'],
    [`${BASE}unknown: 1`, 'am.yml:3:1: unknown field "unknown"'],
    [BASE.replace('r}', 'r, matchers: [a=b]}'), 'root route must not have any matchers'],
    [BASE.replace('r}', 'r, match: {a: b}}'), 'root route must not have any matchers'],
    [BASE.replace('r}', 'r, continue: true}'), 'cannot have continue in root route'],
    [BASE.replace('r}', 'r, group_by: ["...", a]}'), 'cannot have wildcard group_by'],
    [BASE.replace('r}', 'r, group_by: [a, a]}'), 'duplicated label "a" in group_by'],
    [BASE.replace('r}', 'r, group_interval: 0s}'), 'group_interval cannot be zero'],
    [BASE.replace('r}', 'r, repeat_interval: 0s}'), 'repeat_interval cannot be zero'],
    [BASE.replace('r}', 'r, group_wait: 3x}'), 'unknown unit "x" in duration "3x"'],
    [BASE.replace('r}', 'r, routes: [{match_re: {a: "("}}]}'), 'error parsing regexp'],
    [BASE.replace('r}', 'r, routes: [{matchers: ["a=~(?=x)"]}]}'), 'error parsing regexp'],
    [BASE.replace('r}', 'r, routes: [{matchers: ["a"]}]}'), 'bad matcher format: a'],
    [BASE.replace('r}', 'r, routes: [{mute_time_intervals: [x]}]}'), 'undefined time interval "x"'],
    ['route: {receiver: r}\nreceivers: [{name: r}, {name: r}]', '"r" is not unique'],
    [`${BASE}time_intervals: [{name: a}]\nmute_time_intervals: [{name: a}]`, '"a" is not unique'],
    [`${BASE}tracing: {}`, 'tracing endpoint must be set'],
    [
      `${BASE}tracing: {endpoint: 'x:1', headers: {a: {files: [b]}}}`,
      'header a: files are not supported for tracing',
    ],
    [`${BASE}event_recorder: {file_outputs: [{}]}`, 'file output requires a path'],
    [BASE.replace('name: r', 'name: r, webhook_configs: [{}]'), 'one of url or url_file must be'],
    [
      BASE.replace('name: r', 'name: r, webhook_configs: [{url: "http://x", url_file: y}]'),
      'at most one of url & url_file',
    ],
    [
      BASE.replace('name: r', 'name: r, webhook_configs: [{url: "ftp://x"}]'),
      'unsupported scheme "ftp" for URL',
    ],
    [BASE.replace('name: r', 'name: r, dingtalk_configs: [{}]'), 'exactly one of url, url_file'],
    [
      BASE.replace(
        'name: r',
        'name: r, dingtalk_configs: [{url: "http://x", secret: a, secret_file: b}]',
      ),
      'at most one of secret & secret_file',
    ],
    [
      BASE.replace('name: r', 'name: r, slack_configs: [{channel: x}]'),
      'no Slack API URL nor App token set either inline or in a file',
    ],
  ])('%j', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('without naming an address that may hold a token', () => {
    const load = (): unknown =>
      read(BASE.replace('name: r', 'name: r, webhook_configs: [{url: "geheim"}]'));
    expect(load).toThrow(ConfigError);
    expect(load).not.toThrow(/geheim/);
  });
});

describe('the configuration as shown', () => {
  const TEXT = `
global: {resolve_timeout: 90s, slack_api_url: 'http://geheim/'}
route:
  receiver: r
  group_by: [b, a]
  routes:
    - {receiver: r, match: {x: 'y"z'}, match_re: {w: 'v|u'}, group_by: [], repeat_interval: 1d12h}
receivers:
  - name: r
    webhook_configs: [{url: 'http://geheim/', http_config: {basic_auth: {username: u, password: geheim}}}]
    dingtalk_configs: [{access_token: geheim, secret: geheim, mention: {mobiles: ['138']}}]
time_intervals:
  - {name: t, time_intervals: [{weekdays: ['Monday:friday'], times: [{start_time: '09:00', end_time: '24:00'}], months: [may, '7:9'], location: Asia/Shanghai}]}
inhibit_rules: [{source_match: {a: b}, target_matchers: ['c!=d'], equal: [e]}]
templates: ['*.tmpl']
`;

  it('holds no secret, and reads back to the same', () => {
    const shown = marshalConfig(read(TEXT));
    expect(shown).not.toContain('geheim');
    expect(shown).toContain('resolve_timeout: 1m30s');
    expect(shown).toContain('repeat_interval: 1d12h');
    const again = read(shown.replaceAll('<secret>', 'http://x/'));
    expect(marshalConfig(again)).toBe(shown);
    // As upstream's: an empty list is not written.
    expect(again.route.routes[0]?.groupBy).toBeNull();
  });
});

describe('outputs to Kafka', () => {
  it.each([
    ['', null],
    [', format: json, compression: lz4', null],
    [', format: protobuf, compression: zstd, buffer_size: -1', null],
    [', format: avro', 'kafka_outputs[0].format: "avro" is not allowed'],
    [", brokers: ['k:9092', '']", 'broker entries must be non-empty'],
  ])('with %j are taken or refused with the reason', (more, refusal) => {
    const brokers = more.includes('brokers') ? '' : "brokers: ['k:9092'], ";
    const block = `{${brokers}topic: t${more}}`;
    const reading = () => read(`${BASE}event_recorder: {kafka_outputs: [${block}]}`);
    if (refusal !== null) expect(reading).toThrow(refusal);
    else expect(reading().warnings).toEqual([]);
  });
});

describe('warnings', () => {
  it('tell of matchers that only the old grammar understands, and of deprecated keys', () => {
    const config = read(
      `${BASE.replace('r}', "r, routes: [{matchers: ['a=b c']}]}")}mute_time_intervals: [{name: a}]`,
    );
    expect(config.warnings).toEqual([
      expect.stringContaining('am.yml:1:'),
      expect.stringContaining('mute_time_intervals is deprecated'),
    ]);
    expect(config.route.routes[0]?.matchers[0]).toMatchObject({ name: 'a', value: 'b c' });
  });
});

describe.skipIf(!hasFixtures)(`the status page's form of the original's fixtures${why}`, () => {
  /** Its global address and token were allowed together because they named one service, which masking hides. */
  const NOT_READ_AGAIN = ['conf.slack-default-app-token.yml'];
  const good = (hasFixtures ? readdirSync(FIXTURES) : []).flatMap((name) => {
    const text = readFileSync(`${FIXTURES}/${name}`, 'utf8');
    try {
      return [{ name, config: readConfig(text, { file: name }) }];
    } catch {
      return [];
    }
  });

  it.each(good)('$name can be read again', ({ name, config }) => {
    const shown = marshalConfig(config);
    expect(shown).toContain('global:');
    if (!NOT_READ_AGAIN.includes(name)) readConfig(shown, { file: 'shown.yml' });
  });

  it('shows no secret of theirs', () => {
    const shown = good.map(({ config }) => marshalConfig(config)).join('');
    expect(shown).not.toMatch(
      /: (?:my_?secret|my_inline_secret|myprecious|xoxb|https?:\/\/(?:mysecret|slack\.com\/webhook))/,
    );
  });
});
