import { useEffect, useState } from 'react';
import { Moment } from '../../components/moment.tsx';
import { Notice } from '../../components/notice.tsx';
import { type Preview, previewSilence } from '../lib/client.ts';
import type { Matcher } from '../lib/matchers.ts';
import { matcherFault } from '../lib/silence-draft.ts';
import { Labels } from './labels.tsx';

/** What is typed is asked for when the typing pauses. */
const PAUSE_MS = 400;
const PAST_DAYS = 7;

type Shown =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'ready'; readonly preview: Preview };

/** The alerts that a silence of these matchers would hold back. */
export function SilenceReach({ matchers }: { readonly matchers: readonly Matcher[] }) {
  const [shown, setShown] = useState<Shown>({ kind: 'nothing' });
  const [withPast, setWithPast] = useState(false);
  const question = matcherFault(matchers) === null ? JSON.stringify(matchers) : '';
  useEffect(() => {
    if (question === '') {
      setShown({ kind: 'nothing' });
      return;
    }
    const stop = new AbortController();
    const timer = window.setTimeout(() => {
      const asked = JSON.parse(question) as readonly Matcher[];
      previewSilence(asked, withPast ? PAST_DAYS : 0, stop.signal).then(
        (preview) => setShown({ kind: 'ready', preview }),
        (error: unknown) => {
          if (stop.signal.aborted) return;
          setShown({
            kind: 'failed',
            error: error instanceof Error ? error.message : String(error),
          });
        },
      );
    }, PAUSE_MS);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  }, [question, withPast]);
  return (
    <section aria-label="Affected alerts" aria-live="polite">
      <h2>Affected alerts</h2>
      <label>
        <input
          type="checkbox"
          checked={withPast}
          onChange={(event) => setWithPast(event.target.checked)}
        />
        and those of the last {PAST_DAYS} days
      </label>
      {shown.kind === 'nothing' && <p>Shown as soon as the matchers are complete.</p>}
      {shown.kind === 'failed' && <Notice kind="error" text={shown.error} />}
      {shown.kind === 'ready' && <Found preview={shown.preview} />}
    </section>
  );
}

function Found({ preview: { active, past } }: { readonly preview: Preview }) {
  return (
    <>
      <p>
        {active.count === 0
          ? 'No alert fires that it would reach.'
          : `It reaches ${active.count} firing alert${active.count === 1 ? '' : 's'} of ${active.receivers.join(', ')}.`}
      </p>
      <ul className="plain">
        {active.alerts.map(({ fingerprint, labels }) => (
          <li key={fingerprint}>
            <Labels labels={labels} />
          </li>
        ))}
      </ul>
      {active.count > active.alerts.length && <p>{active.count - active.alerts.length} more.</p>}
      {past.days > 0 && (
        <>
          <p>
            In the last {past.days} days it would have reached {past.isComplete ? '' : 'at least '}
            {past.count}.
          </p>
          <ul className="plain">
            {past.alerts.map(({ fingerprint, labels, fired, lastFired }) => (
              <li key={fingerprint}>
                <Labels labels={labels} /> fired {fired === 1 ? 'once' : `${fired} times`}, last{' '}
                <Moment time={lastFired} />
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
