import type { ReactNode } from 'react';
import type { Polled } from '../lib/use-polled.ts';
import { Notice } from './notice.tsx';

/** What was asked for once it is there, and in any case what went wrong. */
export function Loaded<T>({
  of,
  children,
}: {
  readonly of: Polled<T>;
  readonly children: (value: T) => ReactNode;
}) {
  if (of.kind === 'loading') return <p role="status">Loading…</p>;
  if (of.kind === 'failed') return <Notice kind="error" text={of.error} />;
  return (
    <>
      {of.error !== null && (
        <Notice kind="error" text={`${of.error} (shown is what was there before)`} />
      )}
      {children(of.value)}
    </>
  );
}
