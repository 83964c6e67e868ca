import type { GettableSilence } from '@pollux/api-types';
import { describe, expect, it } from 'vitest';
import { toField } from '../../lib/durations.ts';
import {
  draftOf,
  EMPTY_MATCHER,
  faultsOf,
  newDraft,
  postable,
  withTimes,
} from './silence-draft.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 12);
const HOUR_MS = 3_600_000;
const MATCHER = { name: 'a', operator: '=', value: 'b' } as const;

function draft() {
  return newDraft({ matchers: [MATCHER], createdBy: 'anna', comment: 'why' }, NOW_MS);
}

function silence(changes: Partial<GettableSilence> = {}): GettableSilence {
  return {
    id: 'id',
    matchers: [{ name: 'a', value: 'b', isRegex: true, isEqual: false }],
    startsAt: new Date(NOW_MS - HOUR_MS + 123).toISOString(),
    endsAt: new Date(NOW_MS + HOUR_MS).toISOString(),
    updatedAt: new Date(NOW_MS).toISOString(),
    createdBy: 'anna',
    comment: 'why',
    status: { state: 'active' },
    ...changes,
  };
}

describe('the form of a silence', () => {
  it('begins now and lasts two hours', () => {
    expect(draft()).toMatchObject({
      startsAt: toField(NOW_MS),
      endsAt: toField(NOW_MS + 2 * HOUR_MS),
      duration: '2h',
    });
    expect(faultsOf(draft(), NOW_MS)).toEqual({});
  });

  it('keeps start, end and duration together', () => {
    expect(withTimes(draft(), { duration: '1d 30m' })).toMatchObject({
      endsAt: toField(NOW_MS + 24.5 * HOUR_MS),
    });
    expect(withTimes(draft(), { endsAt: toField(NOW_MS + HOUR_MS) })).toMatchObject({
      duration: '1h',
    });
    expect(withTimes(draft(), { startsAt: toField(NOW_MS + HOUR_MS) })).toMatchObject({
      endsAt: toField(NOW_MS + 3 * HOUR_MS),
    });
    // While a field is half typed the others stay.
    expect(withTimes(draft(), { duration: 'x' })).toEqual({ ...draft(), duration: 'x' });
    expect(withTimes(draft(), { startsAt: '' })).toEqual({ ...draft(), startsAt: '' });
  });

  it('says what is missing or wrong', () => {
    const faults = faultsOf(
      {
        matchers: [EMPTY_MATCHER],
        startsAt: '',
        endsAt: '',
        duration: '0s',
        createdBy: ' ',
        comment: '',
      },
      NOW_MS,
    );
    expect(Object.keys(faults).sort()).toEqual(
      ['matchers', 'startsAt', 'endsAt', 'duration', 'createdBy', 'comment'].sort(),
    );
    expect(faultsOf({ ...draft(), matchers: [] }, NOW_MS).matchers).toContain('at least one');
    expect(faultsOf({ ...draft(), matchers: [MATCHER, MATCHER] }, NOW_MS).matchers).toContain(
      'twice',
    );
    expect(faultsOf({ ...draft(), endsAt: draft().startsAt }, NOW_MS).endsAt).toContain('after');
    expect(faultsOf(draft(), NOW_MS + 3 * HOUR_MS).endsAt).toContain('future');
  });

  it('sends an edited silence with its id, and with its start to the millisecond when that was not touched', () => {
    const before = silence({ annotations: { ticket: '1' } });
    const edited = draftOf(before, NOW_MS);
    expect(postable(edited, before)).toEqual({
      id: 'id',
      annotations: { ticket: '1' },
      matchers: before.matchers,
      startsAt: before.startsAt,
      endsAt: before.endsAt,
      createdBy: 'anna',
      comment: 'why',
    });
    const moved = withTimes(edited, { startsAt: toField(NOW_MS) });
    expect(postable(moved, before).startsAt).toBe(new Date(NOW_MS).toISOString());
  });

  it('begins one that has ended anew, for as long as it was unless it was ended at once', () => {
    const ended = (lengthMs: number): GettableSilence =>
      silence({
        status: { state: 'expired' },
        startsAt: new Date(NOW_MS - 10 * HOUR_MS).toISOString(),
        endsAt: new Date(NOW_MS - 10 * HOUR_MS + lengthMs).toISOString(),
      });
    expect(draftOf(ended(HOUR_MS), NOW_MS)).toMatchObject({
      startsAt: toField(NOW_MS),
      endsAt: toField(NOW_MS + HOUR_MS),
    });
    expect(draftOf(ended(3_000), NOW_MS).duration).toBe('2h');
  });
});
