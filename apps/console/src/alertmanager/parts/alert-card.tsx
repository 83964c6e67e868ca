import type { GettableAlert } from '@pollux/api-types';
import { useState } from 'react';
import { LinkedText } from '../../components/linked-text.tsx';
import { Moment } from '../../components/moment.tsx';
import { Notice } from '../../components/notice.tsx';
import { webAddress } from '../../lib/web-address.ts';
import { endAcknowledgement, type Owner } from '../lib/client.ts';
import { type Matcher, matchersOf } from '../lib/matchers.ts';
import { newSilenceLink, silenceLink } from '../lib/route.ts';
import { useAction } from '../lib/use-action.ts';
import { AcknowledgeForm } from './acknowledge-form.tsx';
import { Labels } from './labels.tsx';
import { Why } from './why.tsx';

/** One alert, what holds it back, and what may be done with it. */
export function AlertCard({
  alert,
  owners,
  linkOf,
  onChange,
}: {
  readonly alert: GettableAlert;
  readonly owners: readonly Owner[];
  readonly linkOf: (matcher: Matcher) => string;
  /** Something was changed, and the list is to be asked again. */
  readonly onChange: () => void;
}) {
  const [opened, setOpened] = useState<'why' | 'acknowledge' | null>(null);
  const toggle = (part: 'why' | 'acknowledge'): void => setOpened(opened === part ? null : part);
  const { labels, annotations, status, fingerprint } = alert;
  const source = webAddress(alert.generatorURL);
  const name = labels.alertname ?? fingerprint;
  return (
    <article className={`alert ${status.state}`} aria-label={name}>
      <div className="alert-head">
        <h3>{name}</h3>
        <span>
          since <Moment time={alert.startsAt} />
        </span>
        <Holding alert={alert} />
      </div>
      <Labels labels={labels} linkOf={linkOf} />
      <Annotations annotations={annotations} />
      {owners.map((owner) => (
        <Owned key={owner.id} owner={owner} onChange={onChange} />
      ))}
      <div className="actions">
        <a className="button" href={newSilenceLink(matchersOf(labels))}>
          Silence
        </a>
        <button
          type="button"
          aria-expanded={opened === 'acknowledge'}
          onClick={() => toggle('acknowledge')}
        >
          Acknowledge
        </button>
        <button type="button" aria-expanded={opened === 'why'} onClick={() => toggle('why')}>
          Why?
        </button>
        {source !== null && (
          <a href={source} rel="noreferrer">
            Source
          </a>
        )}
      </div>
      {opened === 'acknowledge' && (
        <AcknowledgeForm
          fingerprint={fingerprint}
          onDone={() => {
            setOpened(null);
            onChange();
          }}
        />
      )}
      {opened === 'why' && <Why fingerprint={fingerprint} />}
    </article>
  );
}

/** Only what keeps it from being notified is worth a word. */
function Holding({ alert: { status } }: { readonly alert: GettableAlert }) {
  return (
    <>
      {status.silencedBy.map((id) => (
        <a key={id} href={silenceLink(id)}>
          silenced
        </a>
      ))}
      {status.inhibitedBy.length > 0 && <span className="late">inhibited</span>}
      {status.mutedBy.length > 0 && (
        <span className="late">muted by {status.mutedBy.join(', ')}</span>
      )}
    </>
  );
}

function Annotations({ annotations }: Pick<GettableAlert, 'annotations'>) {
  const entries = Object.entries(annotations);
  if (entries.length === 0) return null;
  return (
    <dl>
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <LinkedText text={value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Owned({ owner, onChange }: { readonly owner: Owner; readonly onChange: () => void }) {
  const action = useAction();
  return (
    <p className="owned">
      Acknowledged by {owner.owner}
      {owner.note === '' ? '' : `: ${owner.note}`}{' '}
      <button
        type="button"
        disabled={action.isBusy}
        onClick={() =>
          action.run(async () => {
            await endAcknowledgement(owner.id);
            onChange();
          })
        }
      >
        Take back
      </button>
      {action.error !== null && <Notice kind="error" text={action.error} />}
    </p>
  );
}
