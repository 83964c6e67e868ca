import { useCallback, useState } from 'react';
import { Loaded } from '../../components/loaded.tsx';
import { Moment } from '../../components/moment.tsx';
import { Notice } from '../../components/notice.tsx';
import { usePolled } from '../../lib/use-polled.ts';
import {
  type DeadLetter,
  type Delivery,
  fetchDeliveries,
  forgetDeadLetter,
  type OwedDelivery,
  replayDeadLetter,
} from '../lib/client.ts';
import { formatMatchers, matchersOf } from '../lib/matchers.ts';
import { ALL_ALERTS, alertsLink, notificationsLink } from '../lib/route.ts';
import { useAction } from '../lib/use-action.ts';

const POLL_MS = 10_000;
/** History is read back so far and no further, since all of it may be half a gigabyte. */
const DAY_MS = 86_400_000;
/** Of those that were given up, and of those owed, so many are shown. */
const MAX_SHOWN = 100;

/** What this member sent, what receivers have not taken yet, and what was given up. */
export function NotificationsPage({ onlyFailed }: { readonly onlyFailed: boolean }) {
  const [version, setVersion] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another version asks again
  const load = useCallback(
    (signal: AbortSignal) => fetchDeliveries(onlyFailed, Date.now() - DAY_MS, signal),
    [onlyFailed, version],
  );
  const deliveries = usePolled(load, POLL_MS);
  return (
    <>
      <h1>Notifications</h1>
      <Loaded of={deliveries}>
        {({ records, owed, dead }) => (
          <>
            {dead.length > 0 && (
              <section aria-label="Given up">
                <h2>Given up ({dead.length})</h2>
                {dead.slice(0, MAX_SHOWN).map((letter) => (
                  <Letter
                    key={letter.id}
                    letter={letter}
                    onChange={() => setVersion((before) => before + 1)}
                  />
                ))}
              </section>
            )}
            {owed.length > 0 && (
              <section aria-label="Not taken yet">
                <h2>Not taken yet ({owed.length})</h2>
                {owed.slice(0, MAX_SHOWN).map((one) => (
                  <Owed key={`${one.groupKey} ${one.receiver} ${one.integration}`} owed={one} />
                ))}
              </section>
            )}
            <h2>By this member in the last day</h2>
            <nav className="tabs" aria-label="Results">
              {[false, true].map((failed) => (
                <a
                  key={String(failed)}
                  href={notificationsLink(failed)}
                  aria-current={failed === onlyFailed ? 'page' : undefined}
                >
                  {failed ? 'failed' : 'all'}
                </a>
              ))}
            </nav>
            <Sent records={records} />
          </>
        )}
      </Loaded>
    </>
  );
}

function Sent({ records }: { readonly records: readonly Delivery[] }) {
  if (records.length === 0) return <p>None.</p>;
  return (
    <div className="wide">
      <table>
        <thead>
          <tr>
            <th>When</th>
            <th>Receiver</th>
            <th>Group</th>
            <th>Alerts</th>
            <th>Reason</th>
            <th>Result</th>
          </tr>
        </thead>
        <tbody>
          {records.map(({ id, time, receiver, integration, reason, result, error, ...alerts }) => (
            <tr key={id} className={result === 'failed' ? 'firing' : ''}>
              <td>
                <Moment time={time} />
              </td>
              <td>
                {receiver} {integration}
              </td>
              <td>
                <Group labels={alerts.groupLabels} />
              </td>
              <td>{countText(alerts)}</td>
              <td>{reason}</td>
              <td>{error === '' ? result : `${result}: ${error}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Group({ labels }: { readonly labels: Readonly<Record<string, string>> }) {
  const filter = formatMatchers(matchersOf(labels));
  return <a href={alertsLink({ ...ALL_ALERTS, silenced: true, filter })}>{filter}</a>;
}

function countText({ firing, resolved }: Pick<Delivery, 'firing' | 'resolved'>): string {
  const parts = [firing > 0 ? `${firing} firing` : '', resolved > 0 ? `${resolved} resolved` : ''];
  return parts.filter((part) => part !== '').join(', ');
}

function Owed({ owed }: { readonly owed: OwedDelivery }) {
  return (
    <article className="silence pending">
      <p>
        <Group labels={owed.groupLabels} /> to {owed.receiver} {owed.integration}: {countText(owed)}
      </p>
      <p className="reason">
        Failing since <Moment time={owed.failingSince} />, {owed.attempts} attempts: {owed.error}
      </p>
    </article>
  );
}

function Letter({
  letter,
  onChange,
}: {
  readonly letter: DeadLetter;
  readonly onChange: () => void;
}) {
  const action = useAction();
  const { id, groupLabels, receiver, integration, cause, error, diedAt } = letter;
  const name = `${receiver} ${integration}`;
  const act = (work: (id: string) => Promise<void>): void =>
    action.run(async () => {
      try {
        await work(id);
      } finally {
        // Where it failed too: what a group sends meanwhile takes its letter away.
        onChange();
      }
    });
  return (
    <article className="silence expired" aria-label={`To ${name}`}>
      <p>
        <Group labels={groupLabels} /> to {name}: {countText(letter)}
      </p>
      <p className="reason">
        Given up <Moment time={diedAt} /> ({cause}): {error}
      </p>
      <div className="actions">
        <button type="button" disabled={action.isBusy} onClick={() => act(replayDeadLetter)}>
          Send again
        </button>
        <button type="button" disabled={action.isBusy} onClick={() => act(forgetDeadLetter)}>
          Forget
        </button>
      </div>
      {action.error !== null && <Notice kind="error" text={action.error} />}
    </article>
  );
}
