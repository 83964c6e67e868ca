import { whenText } from '../lib/durations.ts';
import { momentText } from '../lib/time-labels.ts';

/** A time as its distance from now; the time itself when pointed at. */
export function Moment({ time }: { readonly time: string }) {
  const title = momentText(new Date(time).getTime() / 1_000);
  return (
    <time dateTime={time} title={title}>
      {whenText(time, Date.now())}
    </time>
  );
}
