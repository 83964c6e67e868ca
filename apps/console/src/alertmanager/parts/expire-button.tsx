import { useState } from 'react';
import { Notice } from '../../components/notice.tsx';
import { expireSilence } from '../lib/client.ts';
import { useAction } from '../lib/use-action.ts';

/** Ends a silence; asks once more, since its alerts are notified right away. */
export function ExpireButton({
  id,
  name,
  onDone,
}: {
  readonly id: string;
  /** What it is of, for those who only hear the button. */
  readonly name: string;
  readonly onDone: () => void;
}) {
  const [isAsked, setAsked] = useState(false);
  const action = useAction();
  if (!isAsked) {
    return (
      <button type="button" aria-label={`Expire ${name}`} onClick={() => setAsked(true)}>
        Expire
      </button>
    );
  }
  return (
    <>
      <button
        type="button"
        className="danger"
        // biome-ignore lint/a11y/noAutofocus: it takes the place of the button that was just pressed
        autoFocus
        disabled={action.isBusy}
        onClick={() =>
          action.run(async () => {
            await expireSilence(id);
            setAsked(false);
            onDone();
          })
        }
      >
        Expire now
      </button>
      <button type="button" onClick={() => setAsked(false)}>
        Keep
      </button>
      {action.error !== null && <Notice kind="error" text={action.error} />}
    </>
  );
}
