import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '@pollux/config';
import { describe, expect, it } from 'vitest';
import { decodeRuleFile } from './rule-file.ts';

const here = dirname(fileURLToPath(import.meta.url));
const conformance =
  process.env.POLLUX_CONFORMANCE ?? join(here, '../../../../../shared/conformance');

function filesOf(folder: string): string[] {
  try {
    return readdirSync(join(conformance, folder)).map((name) => join(conformance, folder, name));
  } catch {
    return [];
  }
}

describe('rule files of the conformance data', () => {
  const corpus = filesOf('rulefmt');
  if (corpus.length === 0) it.skip('conformance data is absent; set POLLUX_CONFORMANCE', () => {});
  for (const path of corpus) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const scheme = name.startsWith('legacy_') ? 'legacy' : 'utf8';
    const read = (): unknown =>
      decodeRuleFile(readFileSync(path, 'utf8'), name, { scheme, parser: {} });
    if (name.includes('.bad.')) {
      it(`${name} is refused with its place`, () => {
        expect(read).toThrow(ConfigError);
        expect(read).toThrow(new RegExp(`^${name.replaceAll('.', '\\.')}:\\d+:\\d+: `));
      });
    } else it(`${name} is read`, () => expect(read()).not.toHaveLength(0));
  }
  const GOOD = ['rules.yml', 'rules_large.yml', 'at-modifier.yml', 'prometheus-rules.lint.yml'];
  const promtool = filesOf('promtool');
  for (const path of promtool.filter((file) => GOOD.some((name) => file.endsWith(`/${name}`)))) {
    it(`promtool/${path.slice(path.lastIndexOf('/') + 1)} is read`, () => {
      expect(decodeRuleFile(readFileSync(path, 'utf8'), path)).not.toHaveLength(0);
    });
  }
});

const RULE = (text: string): string => `groups:\n  - name: g\n    rules:\n      - ${text}\n`;

describe('a faulty rule file', () => {
  const CASES: readonly (readonly [yaml: string, message: string])[] = [
    [
      RULE('{record: a, expr: "rate(x)"}'),
      'f:4:27: group "g", rule 1, "a": could not parse expression: 1:6: parse error: expected type range vector in call to function "rate", got instant vector',
    ],
    [RULE('{record: a, expr: 1, alert: b}'), "only one of 'record' and 'alert' must be set"],
    [RULE('{expr: 1}'), "one of 'record' or 'alert' must be set"],
    [RULE('{record: a}'), "field 'expr' must be set in rule"],
    [RULE('{record: a, expr: 1, for: 1m}'), "invalid field 'for' in recording rule"],
    [RULE('{record: a, expr: 1, annotations: {a: b}}'), "invalid field 'annotations'"],
    [RULE('{alert: a, expr: 1, labels: {__name__: b}}'), 'invalid label name: __name__'],
    [RULE('{alert: a, expr: 1, for: 1.5h}'), 'for: unknown unit "." in duration "1.5h"'],
    [RULE('{alert: a, expr: 1, fro: 1h}'), 'unknown field "fro"'],
    [RULE('{alert: a, expr: 1, annotations: {s: "{{ nope }}"}}'), 'function "nope" not defined'],
    [RULE('{alert: a, expr: 1, labels: {s: "{{ if }}"}}'), 'label "s": template:'],
    ['groups: [{rules: []}]', 'Groupname must not be empty'],
    ['groups: [{name: a}, {name: a}]', 'groupname: "a" is repeated in the same file'],
    ['groups: [{name: a, limit: -1}]', 'must not be negative'],
    ['groups: [{name: a, labels: {__name__: b}}]', 'invalid label name: __name__'],
    ['group: []', 'unknown field "group"'],
    ['groups: [', 'not valid YAML'],
    ['- a', 'must be a map'],
  ];
  for (const [yaml, message] of CASES) {
    it(`says ${message}`, () => {
      expect(() => decodeRuleFile(yaml, 'f')).toThrow(message);
      expect(() => decodeRuleFile(yaml, 'f')).toThrow(/^f:\d+:\d+/);
    });
  }
});

describe('a good rule file', () => {
  it('gives group labels to rules that do not have them', () => {
    const [group] = decodeRuleFile(
      `groups:
  - name: g
    interval: 15s
    limit: 3
    query_offset: 1m
    labels: {a: group, b: group}
    rules: [{record: r, expr: up, labels: {b: rule}}]`,
      'f',
    );
    expect(group).toMatchObject({ intervalMs: 15_000, limit: 3, queryOffsetMs: 60_000 });
    expect(group!.rules[0]!.labels).toEqual({ a: 'group', b: 'rule' });
  });

  it('may be empty', () => {
    expect(decodeRuleFile('', 'f')).toEqual([]);
    expect(decodeRuleFile('groups:', 'f')).toEqual([]);
  });
});
