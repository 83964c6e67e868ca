import { type Matcher, OPERATORS, type Operator } from '../lib/matchers.ts';
import { EMPTY_MATCHER } from '../lib/silence-draft.ts';

const WORDS: Readonly<Record<Operator, string>> = {
  '=': 'is',
  '!=': 'is not',
  '=~': 'matches',
  '!~': 'does not match',
};

/** A row for each matcher. */
export function MatcherRows({
  matchers,
  onChange,
}: {
  readonly matchers: readonly Matcher[];
  readonly onChange: (matchers: readonly Matcher[]) => void;
}) {
  const change = (index: number, changes: Partial<Matcher>): void =>
    onChange(matchers.map((matcher, at) => (at === index ? { ...matcher, ...changes } : matcher)));
  return (
    <>
      {matchers.map((matcher, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other identity while their text is typed
        <div className="matcher-row" key={index}>
          <input
            aria-label={`Label ${index + 1}`}
            placeholder="label"
            spellCheck={false}
            value={matcher.name}
            onChange={(event) => change(index, { name: event.target.value })}
          />
          <select
            aria-label={`Operator ${index + 1}`}
            value={matcher.operator}
            onChange={(event) => change(index, { operator: event.target.value as Operator })}
          >
            {[...OPERATORS].reverse().map((operator) => (
              <option key={operator} value={operator}>
                {operator} {WORDS[operator]}
              </option>
            ))}
          </select>
          <input
            aria-label={`Value ${index + 1}`}
            placeholder="value"
            spellCheck={false}
            value={matcher.value}
            onChange={(event) => change(index, { value: event.target.value })}
          />
          <button
            type="button"
            aria-label={`Remove matcher ${index + 1}`}
            onClick={() => onChange(matchers.filter((_, at) => at !== index))}
          >
            ✕
          </button>
        </div>
      ))}
      <button type="button" onClick={() => onChange([...matchers, EMPTY_MATCHER])}>
        Add a matcher
      </button>
    </>
  );
}
