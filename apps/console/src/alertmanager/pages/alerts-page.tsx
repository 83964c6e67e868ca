import { type FormEvent, useCallback, useEffect, useState } from 'react';
import { Loaded } from '../../components/loaded.tsx';
import { usePolled } from '../../lib/use-polled.ts';
import { fetchAlerts, fetchReceivers, type ListedAlerts } from '../lib/client.ts';
import { shownGroups } from '../lib/grouping.ts';
import { formatMatcher, type Matcher, receiverPattern, splitFilter } from '../lib/matchers.ts';
import { type AlertsView, alertsLink } from '../lib/route.ts';
import { go } from '../lib/use-hash.ts';
import { FilterForm } from '../parts/filter-form.tsx';
import { GroupCard } from '../parts/group-card.tsx';

const POLL_MS = 15_000;
const RECEIVERS_POLL_MS = 300_000;
/** Groups shown at once, and how many more when asked for. */
const STEP = 50;

/** Alerts in the groups that are notified; all that is chosen is in the address. */
export function AlertsPage({ view }: { readonly view: AlertsView }) {
  // Views of equal links are the same question.
  const link = alertsLink(view);
  const [version, setVersion] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the link is the view; another version asks again
  const load = useCallback((signal: AbortSignal) => fetchAlerts(view, signal), [link, version]);
  const listed = usePolled(load, POLL_MS);
  const change = (changes: Partial<AlertsView>): void => go(alertsLink({ ...view, ...changes }));
  return (
    <>
      <h1>Alerts</h1>
      <FilterForm filter={view.filter} onFilter={(filter) => change({ filter })} />
      <div className="choices">
        <ReceiverChoice view={view} onChoose={(receiver) => change({ receiver })} />
        <fieldset>
          <legend>Show</legend>
          {(['active', 'silenced', 'inhibited', 'muted'] as const).map((name) => (
            <label key={name}>
              <input
                type="checkbox"
                checked={view[name]}
                onChange={(event) => change({ [name]: event.target.checked })}
              />
              {name}
            </label>
          ))}
        </fieldset>
        <GroupingChoice view={view} onChoose={(groupBy) => change({ groupBy })} />
      </div>
      <Loaded of={listed}>
        {(found) => (
          <Groups
            key={link}
            view={view}
            listed={found}
            onChange={() => setVersion((before) => before + 1)}
          />
        )}
      </Loaded>
    </>
  );
}

function Groups({
  view,
  listed,
  onChange,
}: {
  readonly view: AlertsView;
  readonly listed: ListedAlerts;
  readonly onChange: () => void;
}) {
  const [limit, setLimit] = useState(STEP);
  const groups = shownGroups(listed.groups, view.groupBy);
  if (groups.length === 0) {
    return <p>No alerts{view.filter === '' && view.receiver === '' ? '.' : ' that match.'}</p>;
  }
  const linkOf = (matcher: Matcher): string => {
    const matchers = new Set([...splitFilter(view.filter), formatMatcher(matcher)]);
    return alertsLink({ ...view, filter: `{${[...matchers].join(', ')}}` });
  };
  const left = groups.length - limit;
  return (
    <>
      {groups.slice(0, limit).map((group) => (
        <GroupCard
          key={group.key}
          group={group}
          acknowledged={listed.acknowledged}
          linkOf={linkOf}
          onChange={onChange}
        />
      ))}
      {left > 0 && (
        <button type="button" onClick={() => setLimit(limit + STEP)}>
          {left} more groups
        </button>
      )}
    </>
  );
}

function ReceiverChoice({
  view: { receiver },
  onChoose,
}: {
  readonly view: AlertsView;
  readonly onChoose: (pattern: string) => void;
}) {
  const receivers = usePolled(fetchReceivers, RECEIVERS_POLL_MS);
  const names = receivers.kind === 'ready' ? receivers.value : [];
  const patterns = names.map((name) => ({ name, pattern: receiverPattern(name) }));
  // A link may carry any pattern.
  const isOther = receiver !== '' && !patterns.some(({ pattern }) => pattern === receiver);
  return (
    <label>
      Receiver
      <select value={receiver} onChange={(event) => onChoose(event.target.value)}>
        <option value="">all</option>
        {patterns.map(({ name, pattern }) => (
          <option key={name} value={pattern}>
            {name}
          </option>
        ))}
        {isOther && <option value={receiver}>{receiver}</option>}
      </select>
    </label>
  );
}

function GroupingChoice({
  view: { groupBy },
  onChoose,
}: {
  readonly view: AlertsView;
  readonly onChoose: (labels: readonly string[] | null) => void;
}) {
  const text = groupBy?.join(', ') ?? '';
  const [draft, setDraft] = useState(text);
  useEffect(() => setDraft(text), [text]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const names = draft.split(/[\s,]+/).filter((name) => name !== '');
    onChoose(names.length === 0 ? null : names);
  };
  return (
    <form onSubmit={submit}>
      <label>
        Group by
        <input
          value={draft}
          placeholder="as notified"
          spellCheck={false}
          onChange={(event) => setDraft(event.target.value)}
        />
      </label>
      <button type="submit">Group</button>
    </form>
  );
}
