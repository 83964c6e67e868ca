import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ConfigError, formatYaml, parseYaml, plainValue, redactedYaml } from './index.ts';

const value = (text: string | Uint8Array): unknown => plainValue(parseYaml(text, 'a.yml'));

/** The message of the refusal; empty when the text is taken. */
function refusal(text: string | Uint8Array): string {
  try {
    parseYaml(text, 'a.yml');
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
}

describe('a YAML file', () => {
  it('may have a byte order mark, lines of Windows, or nothing in it', () => {
    expect(value('\ufeffa: 1\nb: x')).toEqual({ a: 1, b: 'x' });
    expect(value(Buffer.from('\ufeffa: 1'))).toEqual({ a: 1 });
    expect(value('a: 1\r\nb:\r\n  - x\r\n  - y z\r\n')).toEqual({ a: 1, b: ['x', 'y z'] });
    for (const text of ['', '\n', '# only words', '---\n'])
      expect(value(text)).toEqual(text === '---\n' ? value(text) : {});
  });

  it.each([
    ['a: 1\n---\nb: 2', 'a.yml:2:1: not valid YAML: a second document begins; only one is read'],
    ['a:\n\tb: 1', 'a.yml:2:1: not valid YAML: Tabs are not allowed'],
    ['a: 1\na: 2', 'a.yml:2:1: not valid YAML: Map keys must be unique'],
    ['1: a\n"1": b', 'a.yml:2:1: key "1" stands here twice'],
    ['a: "x', 'a.yml:1:6: not valid YAML: Missing closing "quote'],
    ['a: [1, 2', 'a.yml:1:9: not valid YAML'],
    ['a: x\u0000y', 'a.yml:1:5: not valid YAML: control characters are not allowed'],
    ['? [a]\n: b', 'a.yml:1:3: a key must be a plain word'],
    ['a: *none', 'a.yml:1:4: no anchor "none" stands before this alias'],
    ['a: &x [*x]', 'a.yml:1:8: no anchor "x" stands before this alias'],
    ['<<: [1]', 'a.yml:1:6: only a map can be merged'],
  ])('%j is refused with place and reason', (text, message) => {
    expect(refusal(text)).toContain(message);
  });

  it('that is not UTF-8 is refused instead of read with holes', () => {
    expect(refusal(Uint8Array.of(0x61, 0x3a, 0x20, 0xff))).toBe(
      'a.yml: not valid YAML: the text is not UTF-8',
    );
  });

  it('whose aliases multiply is refused at once', () => {
    const lines = ['l0: &l0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 30; i++)
      lines.push(`l${i}: &l${i} [${Array.from({ length: 10 }, () => `*l${i - 1}`).join(', ')}]`);
    const start = performance.now();
    expect(refusal(lines.join('\n'))).toContain('more than 1000000 values');
    expect(performance.now() - start).toBeLessThan(500);
  });

  it('with many aliases of one anchor is read in time linear to it', () => {
    const text = `base: &b {x: 1}\nall:\n${'  - *b\n'.repeat(20_000)}`;
    const start = performance.now();
    expect((value(text) as { all: unknown[] }).all).toHaveLength(20_000);
    expect(performance.now() - start).toBeLessThan(3_000);
  });

  it.each(['[', '{a: ', '- '])('that nests without end (%j) is refused', (open) => {
    for (const depth of [300, 20_000])
      expect(refusal(open.repeat(depth))).toMatch(/not valid YAML|nested deeper/);
    expect(refusal(`${'['.repeat(300)}${']'.repeat(300)}`)).toContain(
      'nested deeper than 256 levels',
    );
  });

  it('gives a merged map its own values first, then those of the earlier base', () => {
    const text =
      'b: &b {x: base, y: base}\nc: &c {x: later, z: later}\nuse:\n  <<: [*b, *c]\n  x: own\nend:\n  x: own\n  <<: *b';
    expect(value(text)).toMatchObject({
      use: { x: 'own', y: 'base', z: 'later' },
      end: { x: 'own', y: 'base' },
    });
  });

  it('takes an anchor that is set again from there on', () => {
    expect(value('a: &x 1\nb: *x\nc: &x 2\nd: *x')).toEqual({ a: 1, b: 1, c: 2, d: 2 });
  });

  it('never brings anything but a ConfigError, whatever the text', () => {
    const piece = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '- ',
      '&x ',
      '*x',
      '<<: ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '"',
      "'",
      '|',
      '>',
      '#',
      '!!int ',
      '? ',
      '\t',
      '---',
      '...',
      '%YAML',
      '1',
      '~',
      '\ufeff',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        refusal(pieces.join(''));
      }),
      { numRuns: 1_500 },
    );
  });

  it('writes the key of a merge so that it is read back as a key', () => {
    expect(formatYaml({ a: { '<<': [] }, '<<': { b: 1 } })).toBe('a:\n  "<<": []\n"<<":\n  b: 1\n');
    expect(value(formatYaml({ '<<': { b: '<<' } }))).toEqual({ '<<': { b: '<<' } });
  });

  it('reads back what it writes', () => {
    const word = fc.constantFrom('<<', '=', '~', 'on', '1', '0x1', '1:30', '---', '...', '!!int 1');
    const key = fc.oneof({ weight: 4, arbitrary: fc.string({ minLength: 1 }) }, word);
    const leaf = fc.oneof(fc.string(), word, fc.integer(), fc.boolean(), fc.constant(null));
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(key, tie('node'), { maxKeys: 3 }),
      ),
    })).node;
    fc.assert(
      fc.property(fc.dictionary(key, tree, { maxKeys: 3 }), (given) => {
        const text = formatYaml(given);
        if (/[^\P{Cc}\t\n\r\x85]/u.test(text)) return;
        expect(value(text)).toEqual(JSON.parse(JSON.stringify(given)));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the shown configuration', () => {
  const secrets = {
    scrape_configs: [
      {
        job_name: 'seen',
        basic_auth: { username: 'seen', password: 'hunter2', password_file: 'seen' },
      },
      {
        job_name: 'b',
        authorization: { type: 'seen', credentials: 'hunter2', credentials_file: 'seen' },
      },
      { job_name: 'c', bearer_token: 'hunter2', bearer_token_file: 'seen' },
      {
        job_name: 'd',
        oauth2: { client_id: 'seen', client_secret: 'hunter2', client_secret_file: 'seen' },
      },
      { job_name: 'e', tls_config: { key: 'hunter2', key_file: 'seen', cert: 'seen' } },
      {
        job_name: 'f',
        http_headers: { 'X-A': { values: ['seen'], secrets: ['hunter2'], files: ['seen'] } },
      },
      {
        job_name: 'g',
        consul_sd_configs: [{ token: 'hunter2', server: 'seen' }],
        ovhcloud_sd_configs: [{ application_secret: 'hunter2', consumer_key: 'hunter2' }],
      },
    ],
    remote_write: [
      {
        url: 'https://seen:hunter2@h/w?db=seen&p=hunter2',
        sigv4: { access_key: 'hunter2', secret_key: 'hunter2' },
      },
      { url: 'https://:hunter2@h/w' },
      { url: 'https://seen:hunt@hunter2@h/w' },
    ],
    global: {
      slack_api_url: 'https://hunter2',
      smtp_auth_password: 'hunter2',
      smtp_auth_secret: 'hunter2',
      opsgenie_api_key: 'hunter2',
      telegram_bot_token: 'hunter2',
    },
    receivers: [
      {
        webhook_url: 'https://hunter2',
        url: 'https://oapi.dingtalk.com/robot/send?access_token=hunter2&sign=hunter2',
        text: 'see https://u:hunter2@h and http://h/?token=hunter2',
      },
    ],
    note: { key_file: 'seen', group_key: 'seen', keys: ['seen'], api: 'seen' },
  };

  it('hides every kind of secret, in every kind of place', () => {
    const shown = redactedYaml(parseYaml(stringify(secrets), 'a.yml'));
    expect(shown).not.toContain('hunter2');
    expect(shown).toContain('https://seen:<secret>@h/w?db=seen&p=<secret>');
  });

  it('hides nothing else', () => {
    const count = (text: string): number => text.match(/seen/g)?.length ?? 0;
    const text = stringify(secrets);
    expect(count(redactedYaml(parseYaml(text, 'a.yml')))).toBe(count(text));
  });

  it('is the same for equal configurations, whatever their quotes, comments and anchors', () => {
    const a = plainValue(parseYaml('a: &x "1" # one\nb: *x', 'a.yml'));
    expect(a).toEqual(plainValue(parseYaml('a: \'1\'\nb: "1"', 'b.yml')));
  });
});
