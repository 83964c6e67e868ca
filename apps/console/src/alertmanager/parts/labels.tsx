import { formatMatcher, type Matcher } from '../lib/matchers.ts';

/** Labels as pills; with `linkOf` each leads to what has it. */
export function Labels({
  labels,
  linkOf,
}: {
  readonly labels: Readonly<Record<string, string>>;
  readonly linkOf?: (matcher: Matcher) => string;
}) {
  return (
    <ul className="pills" aria-label="Labels">
      {Object.entries(labels).map(([name, value]) => {
        const matcher: Matcher = { name, operator: '=', value };
        return (
          <li key={name}>
            {linkOf === undefined ? (
              <span className="pill">{formatMatcher(matcher)}</span>
            ) : (
              <a className="pill" href={linkOf(matcher)} title="Show only alerts with this label">
                {formatMatcher(matcher)}
              </a>
            )}
          </li>
        );
      })}
    </ul>
  );
}

export function Matchers({ matchers }: { readonly matchers: readonly Matcher[] }) {
  return (
    <ul className="pills" aria-label="Matchers">
      {matchers.map((matcher) => (
        <li key={formatMatcher(matcher)}>
          <span className="pill">{formatMatcher(matcher)}</span>
        </li>
      ))}
    </ul>
  );
}
