import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../nflog/entry.ts';
import { fromMs } from '../wire/timestamp.ts';
import { type UpdateQuestion, updateVerdict } from './update-verdict.ts';

const NOW = 10_000_000;
const REPEAT = 3_600_000;

function entry(
  firing: readonly bigint[],
  resolved: readonly bigint[] = [],
  ageMs = 60_000,
): LogEntry {
  return {
    groupKey: '{}:{}',
    receiver: { groupName: 'r', integration: 'webhook', index: 0 },
    timestamp: fromMs(NOW - ageMs),
    firing,
    resolved,
    memory: new Map(),
  };
}

function ask(found: LogEntry | null, question: Partial<UpdateQuestion>): string | null {
  const verdict = updateVerdict(found, {
    firing: [],
    resolved: [],
    sendResolved: true,
    nowMs: NOW,
    repeatIntervalMs: REPEAT,
    ...question,
  });
  return verdict.isDue ? verdict.reason : null;
}

describe('what the notification log calls for', () => {
  it('without an entry: a first notification of what fires', () => {
    expect(ask(null, { firing: [1n] })).toBe('first notification');
    expect(ask(null, { firing: [1n], resolved: [2n] })).toBe('first notification');
  });

  it('without an entry: nothing for what is resolved only', () => {
    expect(ask(null, { resolved: [1n] })).toBeNull();
  });

  it('a new alert beside known ones is told', () => {
    expect(ask(entry([1n]), { firing: [1n, 2n] })).toBe('new alerts added');
    expect(ask(entry([1n]), { firing: [2n] })).toBe('new alerts added');
  });

  it('a new alert after an end is a first notification', () => {
    expect(ask(entry([], [1n]), { firing: [1n] })).toBe('first notification');
  });

  it('the end of all is told, once', () => {
    expect(ask(entry([1n]), { resolved: [1n] })).toBe('all alerts resolved');
    expect(ask(entry([], [1n]), { resolved: [1n] })).toBeNull();
  });

  it('the end of all is noted also for receivers without wish for resolved alerts', () => {
    expect(ask(entry([1n]), { resolved: [1n], sendResolved: false })).toBe('all alerts resolved');
  });

  it('the end of some is told to those who wish for it', () => {
    const question = { firing: [1n], resolved: [2n] };
    expect(ask(entry([1n, 2n]), question)).toBe('some alerts resolved');
    expect(ask(entry([1n, 2n]), { ...question, sendResolved: false })).toBeNull();
    expect(ask(entry([1n], [2n]), question)).toBeNull();
  });

  it('fewer firing alerts alone are no news', () => {
    expect(ask(entry([1n, 2n]), { firing: [1n] })).toBeNull();
  });

  it('the same is repeated only when the entry is older than the repeat interval', () => {
    expect(ask(entry([1n], [], REPEAT), { firing: [1n] })).toBeNull();
    expect(ask(entry([1n], [], REPEAT + 1), { firing: [1n] })).toBe('repeat interval elapsed');
    expect(ask(entry([], [1n], 2 * REPEAT), { resolved: [1n] })).toBeNull();
  });
});
