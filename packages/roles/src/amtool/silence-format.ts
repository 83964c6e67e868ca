import { quoteText } from '@pollux/model';
import { inColumns } from '../command/columns.ts';
import { timeByLayout } from '../command/go-text.ts';

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
  readonly comment: string;
  readonly createdBy: string;
  readonly endsAt: string;
  readonly matchers: readonly MatcherJson[];
  readonly startsAt: string;
};

/** Members in the order of amtool's own encoder. */
export function silencesJson(silences: readonly SilenceJson[]): unknown {
  return silences.map(
    ({ id, status, updatedAt, comment, createdBy, endsAt, matchers, startsAt }) => ({
      id,
      status: { state: status.state },
      updatedAt,
      comment,
      createdBy,
      endsAt,
      matchers: matchers.map(({ isEqual = true, isRegex, name, value }) => ({
        isEqual,
        isRegex,
        name,
        value,
      })),
      startsAt,
    }),
  );
}

/** First to end first. */
export function silencesTable(
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
