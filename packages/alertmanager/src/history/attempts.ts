import type { PastAttempt } from '../explain/explain-sources.ts';
import type { LogReceiver } from '../nflog/entry.ts';
import type { History } from './history.ts';
import { EVERYTHING } from './query.ts';

const SHOWN = 5;
/** Older notifications than these bytes of history hold are not worth the wait. */
const MAX_READ_BYTES = 8 * 1024 * 1024;

/** The last notifications of this member to one integration of one group, newest first. */
export async function attemptsIn(
  history: History,
  groupKey: string,
  { groupName, integration, index }: LogReceiver,
): Promise<PastAttempt[]> {
  const { records } = await history.search(
    {
      ...EVERYTHING,
      kinds: new Set(['notification'] as const),
      receiver: groupName,
      integration: `${integration}[${index}]`,
      groupKey,
    },
    { limit: SHOWN, maxReadBytes: MAX_READ_BYTES },
  );
  return records.flatMap((record) =>
    record.kind === 'notification'
      ? [
          {
            time: record.time,
            reason: record.reason,
            result: record.result,
            attempts: record.attempts,
            durationMs: record.durationMs,
            error: record.error,
          },
        ]
      : [],
  );
}
