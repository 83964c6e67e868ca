import type { Finding } from '../finding.ts';
import type { ChaosRecord } from '../record.ts';

/** A person notices the wait. */
const SLOW_MS = 1_000;

/** Every question is answered, in time; every silence is taken. */
export function judgeReplies({ answers, silences }: ChaosRecord): Finding[] {
  const failed = answers.flatMap(({ error, askedMs, question }): Finding[] =>
    error === null ? [] : [{ ...at('failed', askedMs, `${question}: ${error}`), isAllowed: false }],
  );
  const slow = answers.flatMap(({ error, askedMs, tookMs, question }): Finding[] =>
    error !== null || tookMs <= SLOW_MS
      ? []
      : [{ ...at('slow', askedMs, `${question}: ${Math.round(tookMs)} ms`), isAllowed: true }],
  );
  const refused = silences.flatMap(({ acknowledgedMs, askedMs, id }): Finding[] =>
    acknowledgedMs !== null
      ? []
      : [{ ...at('failed', askedMs, `alarm ${id} could not be silenced`), isAllowed: false }],
  );
  return [...failed, ...slow, ...refused];
}

function at(kind: 'failed' | 'slow', atMs: number, text: string): Omit<Finding, 'isAllowed'> {
  return { kind, atMs, text, secondsMs: [] };
}
