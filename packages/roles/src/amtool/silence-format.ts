import { compareText, quoteText } from '@pollux/model';
import { inColumns } from '../command/columns.ts';
import { goJson, timeByLayout } from '../command/go-text.ts';
import type { Settings } from './settings.ts';

export type MatcherJson = {
  readonly isEqual?: boolean;
  readonly isRegex: boolean;
  readonly name: string;
  readonly value: string;
};

/** A silence as the API gives it. */
export type SilenceJson = {
  readonly id: string;
  readonly status: { readonly state: string };
  readonly updatedAt: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly comment: string;
  readonly createdBy: string;
  readonly endsAt: string;
  readonly matchers: readonly MatcherJson[];
  readonly startsAt: string;
};

/** What a list of silences looks like by the flags; ids alone when quiet. */
export function silencesText(
  silences: readonly SilenceJson[],
  isQuiet: boolean,
  { output, dateFormat }: Pick<Settings, 'output' | 'dateFormat'>,
): string {
  if (isQuiet) return silences.map(({ id }) => `${id}\n`).join('');
  if (output === 'json') return `${goJson(silencesJson(silences))}\n`;
  return silencesTable(silences, output, dateFormat);
}

/** Members in the order of amtool's own encoder. */
function silencesJson(silences: readonly SilenceJson[]): unknown {
  return silences.map(
    ({ id, status, updatedAt, annotations = {}, comment, createdBy, endsAt, ...rest }) => ({
      id,
      status: { state: status.state },
      updatedAt,
      ...(Object.keys(annotations).length === 0 ? {} : { annotations: sortedTexts(annotations) }),
      comment,
      createdBy,
      endsAt,
      matchers: rest.matchers.map(({ isEqual = true, isRegex, name, value }) => ({
        isEqual,
        isRegex,
        name,
        value,
      })),
      startsAt: rest.startsAt,
    }),
  );
}

function sortedTexts(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).sort(([a], [b]) => compareText(a, b)));
}

/** First to end first. */
function silencesTable(
  silences: readonly SilenceJson[],
  output: 'simple' | 'extended',
  dateFormat: string,
): string {
  const date = (text: string): string => timeByLayout(dateFormat, Date.parse(text));
  const ordered = [...silences].sort((a, b) => Date.parse(a.endsAt) - Date.parse(b.endsAt));
  const lines = ordered.map(({ id, matchers, startsAt, endsAt, updatedAt, createdBy, comment }) => {
    const shown = matchers.map(matcherText);
    return output === 'simple'
      ? [id, shown.join(' '), date(endsAt), createdBy, comment, '']
      : [
          id,
          `{${shown.join(',')}}`,
          date(startsAt),
          date(endsAt),
          date(updatedAt),
          createdBy,
          comment,
          '',
        ];
  });
  return inColumns([HEADERS[output], ...lines], { padding: 2 });
}

const HEADERS = {
  simple: ['ID', 'Matchers', 'Ends At', 'Created By', 'Comment', ''],
  extended: ['ID', 'Matchers', 'Starts At', 'Ends At', 'Updated At', 'Created By', 'Comment', ''],
} as const;

function matcherText({ isEqual = true, isRegex, name, value }: MatcherJson): string {
  const operator = isEqual ? (isRegex ? '=~' : '=') : isRegex ? '!~' : '!=';
  return `${name}${operator}${quoteText(value)}`;
}
