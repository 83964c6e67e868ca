import { useState } from 'react';
import type { Owner } from '../lib/client.ts';
import type { ShownGroup } from '../lib/grouping.ts';
import { formatMatchers, type Matcher, matchersOf } from '../lib/matchers.ts';
import { newSilenceLink } from '../lib/route.ts';
import { AlertCard } from './alert-card.tsx';

/** More cards at once make the browser slow. */
const STEP = 50;

export function GroupCard({
  group,
  acknowledged,
  linkOf,
  onChange,
}: {
  readonly group: ShownGroup;
  readonly acknowledged: ReadonlyMap<string, readonly Owner[]>;
  readonly linkOf: (matcher: Matcher) => string;
  readonly onChange: () => void;
}) {
  const [limit, setLimit] = useState(STEP);
  const { labels, receiver, alerts } = group;
  const matchers = matchersOf(labels).filter(({ value }) => value !== '');
  const title = matchers.length === 0 ? 'Not grouped' : formatMatchers(matchers);
  const left = alerts.length - limit;
  return (
    <section className="alert-group">
      <div className="alert-head">
        <h2>{title}</h2>
        {receiver !== null && <span>to {receiver}</span>}
        <span>{alerts.length === 1 ? '1 alert' : `${alerts.length} alerts`}</span>
        {matchers.length > 0 && (
          <a href={newSilenceLink(matchers)} aria-label={`Silence the group ${title}`}>
            Silence the group
          </a>
        )}
      </div>
      {alerts.slice(0, limit).map((alert) => (
        <AlertCard
          key={alert.fingerprint}
          alert={alert}
          owners={acknowledged.get(alert.fingerprint) ?? []}
          linkOf={linkOf}
          onChange={onChange}
        />
      ))}
      {left > 0 && (
        <button type="button" onClick={() => setLimit(limit + STEP)}>
          {left} more
        </button>
      )}
    </section>
  );
}
