import { useEffect, useState } from 'react';
import { Notice } from '../../components/notice.tsx';
import { fetchExplanation } from '../lib/client.ts';
import { type ExplainedAlert, inWords } from '../lib/explanation.ts';
import { formatMatchers, matchersOf } from '../lib/matchers.ts';
import { silenceLink } from '../lib/route.ts';

type Shown =
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'ready'; readonly alert: ExplainedAlert | null };

/** Why the alert is or is not notified, in words, as of the moment it is opened. */
export function Why({ fingerprint }: { readonly fingerprint: string }) {
  const [shown, setShown] = useState<Shown>({ kind: 'loading' });
  useEffect(() => {
    const stop = new AbortController();
    fetchExplanation(fingerprint, stop.signal).then(
      ({ alerts: [alert = null] }) => setShown({ kind: 'ready', alert }),
      (error: unknown) => {
        if (!stop.signal.aborted) setShown({ kind: 'failed', error: String(error) });
      },
    );
    return () => stop.abort();
  }, [fingerprint]);
  if (shown.kind === 'loading') return <p role="status">Asking…</p>;
  if (shown.kind === 'failed') return <Notice kind="error" text={shown.error} />;
  const { alert } = shown;
  if (alert === null) return <p>This member no longer has the alert.</p>;
  return (
    <section className="why" aria-label="Why">
      {alert.acknowledgedBy.map(({ owner, note }) => (
        <p key={`${owner} ${note}`}>
          Acknowledged by {owner}
          {note === '' ? '' : `: ${note}`}. It is not repeated.
        </p>
      ))}
      {alert.inhibitedBy !== null && (
        <p>
          Inhibited by <code>{formatMatchers(matchersOf(alert.inhibitedBy.labels))}</code>, as the
          rule {alert.inhibitedBy.rule.source} → {alert.inhibitedBy.rule.target} says.
        </p>
      )}
      {alert.silencedBy.map(({ id, createdBy, comment }) => (
        <p key={id}>
          Silenced by {createdBy}: <a href={silenceLink(id)}>{comment === '' ? id : comment}</a>
        </p>
      ))}
      {inWords(alert, Date.now()).map(({ title, lines }) => (
        <div key={title}>
          <h4>{title}</h4>
          <ul>
            {lines.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </div>
      ))}
      <p>
        This member{' '}
        {alert.member.position === 0
          ? 'speaks first'
          : `lets ${alert.member.position} others speak first and waits ${alert.member.waitSeconds} s`}
        .
      </p>
    </section>
  );
}
