import { useState } from 'react';

export type Action = {
  readonly isBusy: boolean;
  /** What the server said against it; null while nothing was. */
  readonly error: string | null;
  /** Not twice at once. */
  readonly run: (work: () => Promise<void>) => void;
};

/** Something that is sent to the server and may be refused. */
export function useAction(): Action {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const run = (work: () => Promise<void>): void => {
    if (isBusy) return;
    setBusy(true);
    setError(null);
    work().then(
      () => setBusy(false),
      (reason: unknown) => {
        setBusy(false);
        setError(reason instanceof Error ? reason.message : String(reason));
      },
    );
  };
  return { isBusy, error, run };
}
