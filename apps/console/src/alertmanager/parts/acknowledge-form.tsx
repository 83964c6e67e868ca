import { type FormEvent, useId, useState } from 'react';
import { Notice } from '../../components/notice.tsx';
import { acknowledge } from '../lib/client.ts';
import { readPreferences, writePreferences } from '../lib/preferences.ts';
import { useAction } from '../lib/use-action.ts';

/** Somebody takes the alert over: it is not repeated until it ends. */
export function AcknowledgeForm({
  fingerprint,
  onDone,
}: {
  readonly fingerprint: string;
  readonly onDone: () => void;
}) {
  const id = useId();
  const [owner, setOwner] = useState(() => readPreferences().creator);
  const [note, setNote] = useState('');
  const action = useAction();
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    action.run(async () => {
      await acknowledge(fingerprint, owner.trim(), note.trim());
      if (owner.trim() !== '') writePreferences({ ...readPreferences(), creator: owner.trim() });
      onDone();
    });
  };
  return (
    <form onSubmit={submit} className="inline-form">
      <label htmlFor={`${id}-owner`}>Owner</label>
      <input id={`${id}-owner`} value={owner} onChange={(event) => setOwner(event.target.value)} />
      <label htmlFor={`${id}-note`}>Note</label>
      <input id={`${id}-note`} value={note} onChange={(event) => setNote(event.target.value)} />
      <button type="submit" disabled={action.isBusy}>
        Acknowledge
      </button>
      {action.error !== null && <Notice kind="error" text={action.error} />}
    </form>
  );
}
