import { quoteText } from '@pollux/model';
import type { Log } from '@pollux/telemetry';
import { toMs } from '../wire/timestamp.ts';
import type { NotifyEvents } from './notify-events.ts';

/** A line for each change of a silence, made here or heard of. */
export function logSilences(events: NotifyEvents, log: Log): void {
  events.subscribe((event) => {
    if (event.kind !== 'silence') return;
    const { silence, change, by, origin } = event;
    log.info(`silence ${change}`, {
      silence: silence.id,
      matchers: silence.matchers
        .map(({ name, operator, pattern }) => `${name}${operator}${quoteText(pattern)}`)
        .join(','),
      created_by: silence.createdBy,
      comment: silence.comment,
      starts_at: new Date(toMs(silence.startsAt)).toISOString(),
      ends_at: new Date(toMs(silence.endsAt)).toISOString(),
      ...(by === '' ? {} : { by }),
      origin,
    });
  });
}
