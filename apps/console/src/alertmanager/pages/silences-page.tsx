import type { GettableSilence } from '@pollux/api-types';
import { useCallback, useState } from 'react';
import { Loaded } from '../../components/loaded.tsx';
import { Moment } from '../../components/moment.tsx';
import { usePolled } from '../../lib/use-polled.ts';
import { fetchSilences } from '../lib/client.ts';
import { formatMatchers, fromWire } from '../lib/matchers.ts';
import {
  editSilenceLink,
  SILENCE_STATES,
  type SilenceState,
  silenceLink,
  silencesLink,
} from '../lib/route.ts';
import { go } from '../lib/use-hash.ts';
import { ExpireButton } from '../parts/expire-button.tsx';
import { FilterForm } from '../parts/filter-form.tsx';
import { Matchers } from '../parts/labels.tsx';

const POLL_MS = 15_000;
const STEP = 100;

/** Silences by their state. */
export function SilencesPage({
  filter,
  state,
}: {
  readonly filter: string;
  readonly state: SilenceState;
}) {
  const [version, setVersion] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another version asks again
  const load = useCallback(
    (signal: AbortSignal) => fetchSilences(filter, signal),
    [filter, version],
  );
  const silences = usePolled(load, POLL_MS);
  return (
    <>
      <h1>Silences</h1>
      <FilterForm filter={filter} onFilter={(changed) => go(silencesLink(changed, state))} />
      <Loaded of={silences}>
        {(found) => (
          <>
            <nav className="tabs" aria-label="States">
              {SILENCE_STATES.map((name) => (
                <a
                  key={name}
                  href={silencesLink(filter, name)}
                  aria-current={name === state ? 'page' : undefined}
                >
                  {name} ({found.filter(({ status }) => status.state === name).length})
                </a>
              ))}
            </nav>
            <List
              key={`${state} ${filter}`}
              silences={found.filter(({ status }) => status.state === state)}
              state={state}
              onChange={() => setVersion((before) => before + 1)}
            />
          </>
        )}
      </Loaded>
    </>
  );
}

function List({
  silences,
  state,
  onChange,
}: {
  readonly silences: readonly GettableSilence[];
  readonly state: SilenceState;
  readonly onChange: () => void;
}) {
  const [limit, setLimit] = useState(STEP);
  if (silences.length === 0) return <p>No {state} silences.</p>;
  const left = silences.length - limit;
  return (
    <>
      {silences.slice(0, limit).map((silence) => (
        <SilenceCard key={silence.id} silence={silence} onChange={onChange} />
      ))}
      {left > 0 && (
        <button type="button" onClick={() => setLimit(limit + STEP)}>
          {left} more
        </button>
      )}
    </>
  );
}

function SilenceCard({
  silence,
  onChange,
}: {
  readonly silence: GettableSilence;
  readonly onChange: () => void;
}) {
  const { id, comment, createdBy, startsAt, endsAt, status } = silence;
  const matchers = silence.matchers.map(fromWire);
  const name = `the silence of ${formatMatchers(matchers)}`;
  return (
    <article className={`silence ${status.state}`} aria-label={name}>
      <Matchers matchers={matchers} />
      <p>
        <a href={silenceLink(id)}>{comment === '' ? 'No comment' : comment}</a> by{' '}
        {createdBy === '' ? 'nobody named' : createdBy},{' '}
        {status.state === 'pending' ? (
          <>
            begins <Moment time={startsAt} />
          </>
        ) : (
          <>
            {status.state === 'active' ? 'ends' : 'ended'} <Moment time={endsAt} />
          </>
        )}
      </p>
      <div className="actions">
        <a
          className="button"
          href={editSilenceLink(id)}
          aria-label={`${editWord(silence)} ${name}`}
        >
          {editWord(silence)}
        </a>
        {status.state !== 'expired' && <ExpireButton id={id} name={name} onDone={onChange} />}
      </div>
    </article>
  );
}

export function editWord({ status }: GettableSilence): string {
  return status.state === 'expired' ? 'Recreate' : 'Edit';
}
