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
  /** The only one of the original's fixtures that is good and uses none but supported receivers. */
  const LOADED = ['conf.group-by-all.yml'];
  const names = hasFixtures ? readdirSync(FIXTURES) : [];

  it.each(names)('%s loads or is refused with its place', (name) => {
    const load = (): unknown =>
      readConfig(readFileSync(`${FIXTURES}/${name}`, 'utf8'), { file: name });
    if (LOADED.includes(name)) {
      load();
      return;
    }
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(new RegExp(`^${name}(:\\d+:\\d+)?: `));
  });

  it('good ones with other integrations are refused for just that', () => {
    const load = (): unknown => read(readFileSync(`${FIXTURES}/conf.empty-fields.yml`, 'utf8'));
    expect(load).toThrow('receiver team-X-mails: email_configs is not supported yet');
  });
});

describe('a bad configuration is refused with its place and reason', () => {
  it.each([
    ['', 'no routes provided'],
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
    [BASE.replace('r}', 'r, group_wait: 3x}'), 'not a valid duration string: "3x"'],
    [BASE.replace('r}', 'r, routes: [{match_re: {a: "("}}]}'), 'error parsing regexp'],
    [BASE.replace('r}', 'r, routes: [{matchers: ["a=~(?=x)"]}]}'), 'error parsing regexp'],
    [BASE.replace('r}', 'r, routes: [{matchers: ["a"]}]}'), 'bad matcher format: a'],
    [BASE.replace('r}', 'r, routes: [{mute_time_intervals: [x]}]}'), 'undefined time interval "x"'],
    ['route: {receiver: r}\nreceivers: [{name: r}, {name: r}]', '"r" is not unique'],
    [`${BASE}time_intervals: [{name: a}]\nmute_time_intervals: [{name: a}]`, '"a" is not unique'],
    [`${BASE}tracing: {endpoint: x}`, 'tracing: is not supported yet'],
    [BASE.replace('name: r', 'name: r, webhook_configs: [{}]'), 'one of url or url_file must be'],
    [
      BASE.replace('name: r', 'name: r, webhook_configs: [{url: "http://x", url_file: y}]'),
      'at most one of url & url_file',
    ],
    [BASE.replace('name: r', 'name: r, webhook_configs: [{url: "ftp://x"}]'), 'http or https'],
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
      'receiver r: slack_configs is not supported yet',
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
    expect(again.route.routes[0]?.groupBy).toEqual([]);
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
