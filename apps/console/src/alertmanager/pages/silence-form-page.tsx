import type { GettableSilence } from '@pollux/api-types';
import { type FormEvent, useCallback, useId, useState } from 'react';
import { Loaded } from '../../components/loaded.tsx';
import { Notice } from '../../components/notice.tsx';
import { usePolled } from '../../lib/use-polled.ts';
import { fetchSilence, saveSilence } from '../lib/client.ts';
import { MatcherError, parseMatchers } from '../lib/matchers.ts';
import { readPreferences, writePreferences } from '../lib/preferences.ts';
import { silenceLink } from '../lib/route.ts';
import {
  draftOf,
  type Faults,
  faultsOf,
  newDraft,
  postable,
  type SilenceDraft,
  withTimes,
} from '../lib/silence-draft.ts';
import { useAction } from '../lib/use-action.ts';
import { go } from '../lib/use-hash.ts';
import { MatcherRows } from '../parts/matcher-rows.tsx';
import { SilenceReach } from '../parts/silence-reach.tsx';

/** A form that is filled in is not asked for again. */
const NEVER_MS = 2 ** 31 - 1;

/** A new silence, filled in as the link says. */
export function NewSilencePage({
  filter,
  comment,
}: {
  readonly filter: string;
  readonly comment: string;
}) {
  const [{ draft, fault }] = useState(() => draftFrom(filter, comment));
  return (
    <>
      <h1>New silence</h1>
      {fault !== null && (
        <Notice kind="error" text={`The link's filter cannot be read. ${fault}`} />
      )}
      <SilenceForm first={draft} before={null} />
    </>
  );
}

function draftFrom(
  filter: string,
  comment: string,
): { readonly draft: SilenceDraft; readonly fault: string | null } {
  const given = { matchers: [], createdBy: readPreferences().creator, comment };
  try {
    const matchers = parseMatchers(filter);
    return { draft: newDraft({ ...given, matchers }, Date.now()), fault: null };
  } catch (error) {
    if (!(error instanceof MatcherError)) throw error;
    return { draft: newDraft(given, Date.now()), fault: error.message };
  }
}

/** Changes a silence, or makes one that has ended anew. */
export function EditSilencePage({ id }: { readonly id: string }) {
  const load = useCallback((signal: AbortSignal) => fetchSilence(id, signal), [id]);
  const silence = usePolled(load, NEVER_MS);
  return (
    <>
      <h1>Edit silence</h1>
      <Loaded of={silence}>
        {(found) =>
          found === null ? (
            <Notice kind="error" text={`There is no silence ${id}.`} />
          ) : (
            <SilenceForm first={draftOf(found, Date.now())} before={found} />
          )
        }
      </Loaded>
    </>
  );
}

function SilenceForm({
  first,
  before,
}: {
  readonly first: SilenceDraft;
  readonly before: GettableSilence | null;
}) {
  const id = useId();
  const [draft, setDraft] = useState(first);
  /** Faults are told of when the form is sent, and from then on as they are mended. */
  const [isTold, setTold] = useState(false);
  const action = useAction();
  const faults = faultsOf(draft, Date.now());
  const told: Faults = isTold ? faults : {};
  const change = (changes: Partial<SilenceDraft>): void => setDraft({ ...draft, ...changes });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setTold(true);
    if (Object.keys(faults).length > 0) return;
    action.run(async () => {
      const saved = await saveSilence(postable(draft, before));
      writePreferences({ ...readPreferences(), creator: draft.createdBy.trim() });
      go(silenceLink(saved));
    });
  };
  const times = (
    [
      ['startsAt', 'Start', 'datetime-local'],
      ['duration', 'Duration', 'text'],
      ['endsAt', 'End', 'datetime-local'],
    ] as const
  ).map(([field, title, type]) => (
    <div key={field} className="field">
      <label htmlFor={`${id}-${field}`}>{title}</label>
      <input
        id={`${id}-${field}`}
        type={type}
        {...(type === 'text' ? {} : { step: 1 })}
        value={draft[field]}
        aria-invalid={told[field] !== undefined}
        aria-describedby={`${id}-${field}-fault`}
        onChange={(event) =>
          setDraft(withTimes(draft, { [field]: event.target.value } as { startsAt: string }))
        }
      />
      <Fault id={`${id}-${field}-fault`} text={told[field]} />
    </div>
  ));
  return (
    <form onSubmit={submit} className="silence-form" noValidate>
      <fieldset aria-describedby={`${id}-matchers-fault`}>
        <legend>Alerts with these labels</legend>
        <MatcherRows matchers={draft.matchers} onChange={(matchers) => change({ matchers })} />
        <Fault id={`${id}-matchers-fault`} text={told.matchers} />
      </fieldset>
      <div className="times">{times}</div>
      {(['createdBy', 'comment'] as const).map((field) => (
        <div key={field} className="field">
          <label htmlFor={`${id}-${field}`}>{field === 'createdBy' ? 'Creator' : 'Comment'}</label>
          <input
            id={`${id}-${field}`}
            value={draft[field]}
            aria-invalid={told[field] !== undefined}
            aria-describedby={`${id}-${field}-fault`}
            onChange={(event) => change({ [field]: event.target.value })}
          />
          <Fault id={`${id}-${field}-fault`} text={told[field]} />
        </div>
      ))}
      {action.error !== null && <Notice kind="error" text={action.error} />}
      <div className="actions">
        <button type="submit" className="main" disabled={action.isBusy}>
          {before === null ? 'Create' : before.status.state === 'expired' ? 'Create again' : 'Save'}
        </button>
        <a href={before === null ? '#/silences' : silenceLink(before.id)}>Leave it</a>
      </div>
      <SilenceReach matchers={draft.matchers} />
    </form>
  );
}

function Fault({ id, text }: { readonly id: string; readonly text: string | undefined }) {
  return (
    <p id={id} className="fault" role={text === undefined ? undefined : 'alert'}>
      {text}
    </p>
  );
}
