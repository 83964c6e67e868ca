import type { GettableSilence } from '@pollux/api-types';
import { useCallback, useState } from 'react';
import { Loaded } from '../../components/loaded.tsx';
import { Moment } from '../../components/moment.tsx';
import { Notice } from '../../components/notice.tsx';
import { momentText } from '../../lib/time-labels.ts';
import { usePolled } from '../../lib/use-polled.ts';
import { fetchSeen, fetchSilence } from '../lib/client.ts';
import { formatMatchers, fromWire } from '../lib/matchers.ts';
import { ALL_ALERTS, alertsLink, editSilenceLink } from '../lib/route.ts';
import { ExpireButton } from '../parts/expire-button.tsx';
import { Matchers } from '../parts/labels.tsx';
import { SilenceReach } from '../parts/silence-reach.tsx';
import { editWord } from './silences-page.tsx';

const POLL_MS = 5_000;

/** One silence, where links of alerts and other tools lead. */
export function SilencePage({ id }: { readonly id: string }) {
  const [version, setVersion] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another version asks again
  const load = useCallback((signal: AbortSignal) => fetchSilence(id, signal), [id, version]);
  const silence = usePolled(load, POLL_MS);
  return (
    <>
      <h1>Silence</h1>
      <Loaded of={silence}>
        {(found) =>
          found === null ? (
            <Notice
              kind="error"
              text={`There is no silence ${id}, or it is forgotten since it ended long ago.`}
            />
          ) : (
            <Shown silence={found} onChange={() => setVersion((before) => before + 1)} />
          )
        }
      </Loaded>
    </>
  );
}

function Shown({
  silence,
  onChange,
}: {
  readonly silence: GettableSilence;
  readonly onChange: () => void;
}) {
  const { id, comment, createdBy, startsAt, endsAt, updatedAt, status } = silence;
  const matchers = silence.matchers.map(fromWire);
  const times = [
    ['Starts', startsAt],
    ['Ends', endsAt],
    ['Changed', updatedAt],
  ] as const;
  return (
    <>
      <Matchers matchers={matchers} />
      <dl>
        <div>
          <dt>State</dt>
          <dd>{status.state}</dd>
        </div>
        {times.map(([title, time]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>
              {momentText(new Date(time).getTime() / 1_000)} (<Moment time={time} />)
            </dd>
          </div>
        ))}
        <div>
          <dt>Creator</dt>
          <dd>{createdBy}</dd>
        </div>
        <div>
          <dt>Comment</dt>
          <dd>{comment}</dd>
        </div>
        <div>
          <dt>Id</dt>
          <dd>{id}</dd>
        </div>
        <SeenBy id={id} />
      </dl>
      <div className="actions">
        <a className="button" href={editSilenceLink(id)}>
          {editWord(silence)}
        </a>
        {status.state !== 'expired' && (
          <ExpireButton id={id} name="this silence" onDone={onChange} />
        )}
        <a href={alertsLink({ ...ALL_ALERTS, silenced: true, filter: formatMatchers(matchers) })}>
          Its alerts
        </a>
      </div>
      {status.state !== 'expired' && <SilenceReach matchers={matchers} />}
    </>
  );
}

/** Who already obeys it. */
function SeenBy({ id }: { readonly id: string }) {
  const load = useCallback((signal: AbortSignal) => fetchSeen(id, signal), [id]);
  const seen = usePolled(load, POLL_MS);
  return (
    <div>
      <dt>Seen by</dt>
      <dd>
        <Loaded of={seen}>
          {({ seen: count, of, members }) => (
            <>
              {count} of {of} member{of === 1 ? '' : 's'}
              {members
                .filter(({ state }) => state !== 'seen')
                .map(({ name, state }) => (
                  <span key={name} className="late">
                    {' '}
                    ({name}: {state})
                  </span>
                ))}
            </>
          )}
        </Loaded>
      </dd>
    </div>
  );
}
