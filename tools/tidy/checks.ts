/** One finding of the house lint: where, and what to do about it. */
export type Finding = { readonly file: string; readonly text: string };

const BANNED_NAMES = /(^|\/)(utils?|helpers?|common|misc)(\/|\.|$)/;
const KEBAB_CASE = /^[a-z0-9]+(?:[-.][a-z0-9]+)*$/;
const TEST_TICKET = /(?:issue|bug|fix)-?\d+|\.\d+\.test\.ts$/;

/** File names: kebab-case, none of the names that say nothing, no ticket numbers. */
export function checkName(file: string): Finding[] {
  const findings: Finding[] = [];
  const base = file.split('/').at(-1) ?? '';
  if (BANNED_NAMES.test(file))
    findings.push({ file, text: 'the name says nothing; name what it holds' });
  if (/\.tsx?$/.test(base) && !KEBAB_CASE.test(base.replace(/\.tsx?$/, ''))) {
    findings.push({ file, text: 'file names are kebab-case' });
  }
  if (TEST_TICKET.test(base))
    findings.push({ file, text: 'a test is named for a behaviour, not for a ticket' });
  return findings;
}

/** Words in sources that have a better replacement. */
const BANNED_WORDS: readonly { readonly pattern: RegExp; readonly text: string }[] = [
  {
    pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/,
    text: 'unfinished work belongs in an issue, not in the source',
  },
  { pattern: /\.only\(/, text: 'a focused test leaves all others out' },
  { pattern: /@ts-(?:ignore|nocheck)/, text: 'use @ts-expect-error with its reason' },
  { pattern: /^export \* from/, text: 'doors name what they export' },
  {
    pattern: /catch\s*(?:\(\w+\))?\s*\{\s*\}/,
    text: 'a swallowed error; say why it may be left alone',
  },
];

/** `text` is the content of a TypeScript source. */
export function checkSource(file: string, text: string): Finding[] {
  const findings: Finding[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    for (const { pattern, text: why } of BANNED_WORDS) {
      if (pattern.test(line)) findings.push({ file: `${file}:${index + 1}`, text: why });
    }
  }
  return findings;
}

/** Machine state that a room may only reach through Env. Adapters, tests and the composition root are exempt. */
const MACHINE =
  /\b(?:Date\.now\(|Math\.random\(|setTimeout\(|setInterval\(|process\.(?:env|cwd|exit|stdout|stderr))/;
const MACHINE_EXEMPT =
  /^packages\/(?:base\/src\/(?:node\/|virtual-clock)|roles\/|testkit\/|sim\/)|\.(?:test|bench)\.ts$|^packages\/[^/]+\/test\/|^apps\/|^test\/|^tools\/|^bench\//;

export function checkMachine(file: string, text: string): Finding[] {
  if (MACHINE_EXEMPT.test(file) || /\/testing\//.test(file)) return [];
  return text.split('\n').flatMap((line, index) => {
    const isComment = /^\s*(?:\*|\/\/|\/\*)/.test(line);
    return MACHINE.test(line) && !isComment
      ? [
          {
            file: `${file}:${index + 1}`,
            text: 'time, randomness and the process come in through Env',
          },
        ]
      : [];
  });
}

/** Paths that a document names in backticks (`packages/x/y.ts`) or links must exist. */
export function checkDocument(
  file: string,
  text: string,
  exists: (path: string) => boolean,
): Finding[] {
  const findings: Finding[] = [];
  const headings = text.split('\n').filter((line) => /^# /.test(line));
  if (headings.length !== 1)
    findings.push({ file, text: `a document has one first-level heading, not ${headings.length}` });
  const folder = file.split('/').slice(0, -1).join('/');
  const join = (path: string): string => (folder === '' ? path : `${folder}/${path}`);
  for (const [, link = ''] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
    if (!exists(normalize(join(link))))
      findings.push({ file, text: `links to ${link}, which does not exist` });
  }
  for (const [, path = ''] of text.matchAll(
    /`((?:packages|apps|test|tools|docs|examples|bench)\/[\w./-]*)`/g,
  )) {
    if (!exists(path.replace(/\/$/, '')))
      findings.push({ file, text: `names ${path}, which does not exist` });
  }
  return findings;
}

function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

/** Sources over the aim of the style guide, longest first. Reported, not refused. */
export function longFiles(
  files: readonly { readonly file: string; readonly lines: number }[],
): readonly string[] {
  return files
    .filter(({ file, lines }) => lines > (/\.test\.ts$/.test(file) ? 1_000 : 600))
    .sort((a, b) => b.lines - a.lines)
    .map(({ file, lines }) => `${lines} ${file}`);
}
