import type { GettableSilence, PostableSilence } from '@pollux/api-types';
import { formatDuration, fromField, parseDuration, toField } from '../../lib/durations.ts';
import { formatMatcher, fromWire, type Matcher, toWire } from './matchers.ts';

const DEFAULT_MS = 2 * 3_600_000;
/** A silence that was shorter was ended by hand, which leaves nothing of how long it was meant to be. */
const MEANT_MS = 5 * 60_000;

/** What the form holds, as it is typed. */
export type SilenceDraft = {
  readonly matchers: readonly Matcher[];
  readonly startsAt: string;
  readonly endsAt: string;
  readonly duration: string;
  readonly createdBy: string;
  readonly comment: string;
};

export const EMPTY_MATCHER: Matcher = { name: '', operator: '=', value: '' };

export function newDraft(
  given: Pick<SilenceDraft, 'matchers' | 'createdBy' | 'comment'>,
  nowMs: number,
): SilenceDraft {
  return {
    ...given,
    matchers: given.matchers.length === 0 ? [EMPTY_MATCHER] : given.matchers,
    startsAt: toField(nowMs),
    endsAt: toField(nowMs + DEFAULT_MS),
    duration: formatDuration(DEFAULT_MS),
  };
}

/** One that has ended begins again now, for as long as it was. */
export function draftOf(silence: GettableSilence, nowMs: number): SilenceDraft {
  const startsMs = new Date(silence.startsAt).getTime();
  const isOver = silence.status.state === 'expired';
  const wasMs = new Date(silence.endsAt).getTime() - startsMs;
  const lengthMs = isOver && wasMs < MEANT_MS ? DEFAULT_MS : wasMs;
  const fromMs = isOver ? nowMs : startsMs;
  return {
    matchers: silence.matchers.map(fromWire),
    startsAt: toField(fromMs),
    endsAt: toField(fromMs + lengthMs),
    duration: formatDuration(lengthMs),
    createdBy: silence.createdBy,
    comment: silence.comment,
  };
}

/** Start, end and duration follow each other: the end moves with the other two, the duration with the end. */
export function withTimes(
  draft: SilenceDraft,
  change:
    | { readonly startsAt: string }
    | { readonly endsAt: string }
    | { readonly duration: string },
): SilenceDraft {
  const next = { ...draft, ...change };
  const startsMs = fromField(next.startsAt);
  if (startsMs === null) return next;
  if ('endsAt' in change) {
    const endsMs = fromField(next.endsAt);
    return endsMs === null || endsMs <= startsMs
      ? next
      : { ...next, duration: formatDuration(endsMs - startsMs) };
  }
  const durationMs = parseDuration(next.duration);
  return durationMs === null ? next : { ...next, endsAt: toField(startsMs + durationMs) };
}

/** What keeps the form from being sent, by the field. */
export type Faults = Partial<Record<keyof SilenceDraft, string>>;

export function faultsOf(draft: SilenceDraft, nowMs: number): Faults {
  const startsMs = fromField(draft.startsAt);
  const endsMs = fromField(draft.endsAt);
  const faults: Faults = {};
  const matchers = matcherFault(draft.matchers);
  if (matchers !== null) faults.matchers = matchers;
  if (startsMs === null) faults.startsAt = 'Give a date and a time.';
  if (endsMs === null) faults.endsAt = 'Give a date and a time.';
  else if (startsMs !== null && endsMs <= startsMs) faults.endsAt = 'It must end after it begins.';
  else if (endsMs <= nowMs) faults.endsAt = 'It must end in the future.';
  if (parseDuration(draft.duration) === null) {
    faults.duration = 'Write days, hours and minutes, as 1d 2h 30m.';
  }
  if (draft.createdBy.trim() === '') faults.createdBy = 'Say who makes it.';
  if (draft.comment.trim() === '') faults.comment = 'Say why.';
  return faults;
}

export function matcherFault(matchers: readonly Matcher[]): string | null {
  if (matchers.length === 0) return 'Give at least one matcher.';
  if (matchers.some(({ name }) => name.trim() === ''))
    return 'Each matcher needs the name of a label.';
  const texts = matchers.map(formatMatcher);
  return new Set(texts).size < texts.length ? 'A matcher is there twice.' : null;
}

/** `before` is the silence that is edited. */
export function postable(draft: SilenceDraft, before: GettableSilence | null): PostableSilence {
  const startsMs = fromField(draft.startsAt) ?? 0;
  // Fields have no fractions of a second; a start that was not touched stays what it was.
  const isUntouched =
    before !== null && Math.floor(new Date(before.startsAt).getTime() / 1_000) * 1_000 === startsMs;
  return {
    ...(before === null ? {} : { id: before.id }),
    ...(before?.annotations === undefined ? {} : { annotations: before.annotations }),
    matchers: draft.matchers.map((matcher) => toWire({ ...matcher, name: matcher.name.trim() })),
    startsAt: isUntouched ? before.startsAt : new Date(startsMs).toISOString(),
    endsAt: new Date(fromField(draft.endsAt) ?? 0).toISOString(),
    createdBy: draft.createdBy.trim(),
    comment: draft.comment.trim(),
  };
}
