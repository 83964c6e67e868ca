import { describe, expect, it } from 'vitest';
import {
  boolean,
  integer,
  list,
  object,
  optional,
  parseToml,
  parseYaml,
  redactedYaml,
  required,
  shownAddress,
  strictContext,
  string,
} from './index.ts';

const decode = object({
  name: required(string),
  sizes: optional(list(integer), []),
  on: optional(boolean, true),
});

function read(text: string): unknown {
  return decode(parseYaml(text, 'a.yml'), '', strictContext());
}

describe('reading YAML by a schema', () => {
  it('gives values with defaults', () => {
    expect(read('name: x\nsizes: [1, 2]')).toEqual({ name: 'x', sizes: [1, 2], on: true });
  });

  it('keeps a string as written even where YAML sees a number', () => {
    expect(read('name: 0012')).toMatchObject({ name: '0012' });
  });

  it.each([
    ['name: x\nsize: 3', 'a.yml:2:1: unknown field "size"'],
    ['name: x\nsizes: [1, two]', 'a.yml:2:12: sizes[1]: must be a whole number'],
    ['sizes: []', 'a.yml:1:1: missing field "name"'],
    ['name: x\nname: y', 'a.yml:2:1: not valid YAML: Map keys must be unique'],
    ['name: [x', 'a.yml:1:9: not valid YAML'],
    ['name: x\n\ton: true', 'a.yml:2:1: not valid YAML'],
  ])('names place and reason for %j', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('resolves anchors and merge keys', () => {
    expect(read('name: &n x\non: false')).toMatchObject({ name: 'x', on: false });
    const merged = parseYaml('base: &b {name: q}\nuse:\n  <<: *b\n  on: false', 'a.yml');
    const decodeBoth = object({ base: required(decode), use: required(decode) });
    expect(decodeBoth(merged, '', strictContext()).use).toMatchObject({ name: 'q', on: false });
  });
});

describe('reading TOML', () => {
  it('warns of unknown keys when told so, and names line and column of broken syntax', () => {
    const warnings: string[] = [];
    const values = decode(parseToml('name = "x"\nodd = 1', 'i.conf'), '', {
      unknownKeys: 'warn',
      warnings,
    });
    expect(values.name).toBe('x');
    expect(warnings).toEqual([expect.stringContaining('i.conf: unknown field "odd"')]);
    expect(() => parseToml('name = ', 'i.conf')).toThrow(/^i\.conf:1:\d+: not valid TOML/);
  });
});

describe('showing a configuration', () => {
  it('hides every kind of secret and nothing else', () => {
    const text = [
      'basic_auth: {username: u, password: hunter2}',
      'credentials: hunter2',
      'url: http://u:hunter2@h/write?db=x&u=prom&p=hunter2',
      'plain: seen',
    ].join('\n');
    const shown = redactedYaml(parseYaml(text, 'a.yml'));
    expect(shown).not.toContain('hunter2');
    expect(shown).toContain('plain: seen');
    expect(shown).toContain('db=x&u=prom&p=<secret>');
  });

  it('hides passwords of an address, and leaves the rest as it was written', () => {
    expect(shownAddress('http://u:hunter2@h:8086/w?db=p&p=hunter2&u=prom#p=x')).toBe(
      'http://u:xxxxx@h:8086/w?db=p&p=xxxxx&u=prom#p=x',
    );
    expect(shownAddress('h:80/?access_token=hunter2;q=1')).toBe('h:80/?access_token=xxxxx;q=1');
    expect(shownAddress('http://h/p=1?up=2&top=3')).toBe('http://h/p=1?up=2&top=3');
  });
});
