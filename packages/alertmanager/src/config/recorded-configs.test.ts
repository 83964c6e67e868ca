import { existsSync, readFileSync } from 'node:fs';
import { ConfigError } from '@pollux/config';
import { describe, expect, it } from 'vitest';
import type { MatcherMode } from '../matcher/parse.ts';
import { readConfig } from './config.ts';
import { marshalConfig } from './marshal.ts';

/** What Alertmanager 0.34.0 makes of a file: the error, or the text that its status page shows. */
type Recorded = {
  readonly text?: string;
  /** A file of the conformance data, in place of a text. */
  readonly fixture?: string;
  readonly mode?: MatcherMode;
  readonly error?: string;
  readonly shown?: string;
};

const [first, ...recorded] = JSON.parse(
  readFileSync(new URL('../../testdata/configs.json', import.meta.url), 'utf8'),
) as [{ defaultGlobal: string }, ...Recorded[]];
const conformance =
  process.env.POLLUX_CONFORMANCE ??
  new URL('../../../../../shared/conformance', import.meta.url).pathname;

/** Where we knowingly differ, with the reason; each row is used, or it fails. */
const DEVIATIONS: readonly { readonly why: string; readonly holds: (file: string) => boolean }[] = [
  {
    why: 'fields of receivers are shown in another order',
    holds: (file) => /mattermost_configs|slack_configs/.test(file),
  },
  { why: 'a month is 1 to 12', holds: (file) => /months: \["(?:13|0)"\]/.test(file) },
  { why: 'members may stand in different zones', holds: (file) => /location: Local/.test(file) },
  { why: 'an empty address is none', holds: (file) => /slack_api_url: ""/.test(file) },
  {
    why: 'no http_config is the default one',
    holds: (file) => /http_config: null/.test(file),
  },
  { why: 'a glob names something', holds: (file) => /templates: \[""\]/.test(file) },
  { why: 'what is left out is not filled in', holds: (file) => /topic: t/.test(file) },
  { why: 'a second document would be lost', holds: (file) => file.includes('\n---\n') },
];

/** Errors whose words differ: ours name the place, the field and what is allowed there. */
const OTHER_WORDS =
  /^yaml: |unknown unit|is not a valid label name|end of input|missing closing|at most one of basic_auth|tracing client type|missing name in receiver|undefined receiver "r" used/;

describe('configurations recorded from Alertmanager', () => {
  const used = new Set<string>();
  for (const [index, one] of recorded.entries()) {
    const path =
      one.fixture === undefined ? null : `${conformance}/alertmanager-config/${one.fixture}`;
    if (path !== null && !existsSync(path)) continue;
    const file = path === null ? (one.text ?? '') : readFileSync(path, 'utf8');
    it(`#${index} ${one.fixture ?? JSON.stringify(file)} ${one.mode ?? ''}`, () => {
      if (isAsRecorded(file, one)) return;
      const deviation = DEVIATIONS.find(({ holds }) => holds(file));
      if (deviation === undefined) expectRecorded(file, one);
      else used.add(deviation.why);
    });
  }

  it('differ only where a reason is given, and every reason is needed', () => {
    const unused = DEVIATIONS.map(({ why }) => why).filter((why) => !used.has(why));
    expect(existsSync(conformance) ? unused : []).toEqual([]);
  });
});

function isAsRecorded(file: string, one: Recorded): boolean {
  try {
    expectRecorded(file, one);
    return true;
  } catch {
    return false;
  }
}

function expectRecorded(file: string, { error, shown, mode }: Recorded): void {
  const options = { file: 'am.yml', matcherMode: mode ?? 'fallback' };
  if (error === undefined) {
    const expected = shown?.replace('<default global>\n', first.defaultGlobal);
    expect(marshalConfig(readConfig(file, options))).toBe(expected);
    return;
  }
  const read = (): unknown => readConfig(file, options);
  expect(read).toThrow(ConfigError);
  if (!OTHER_WORDS.test(error)) expect(read).toThrow(error);
}
