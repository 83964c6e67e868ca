import type { GettableAlert } from '@pollux/api-types';
import { describe, expect, it } from 'vitest';
import { shownGroups } from './grouping.ts';

function alert(fingerprint: string, labels: Record<string, string>): GettableAlert {
  return {
    fingerprint,
    labels,
    annotations: {},
    receivers: [],
    startsAt: '',
    endsAt: '',
    updatedAt: '',
    status: { state: 'active', inhibitedBy: [], mutedBy: [], silencedBy: [] },
  };
}

describe('groups of alerts', () => {
  const [a, b, c] = [
    alert('1', { job: 'x', env: 'p' }),
    alert('2', { job: 'x' }),
    alert('3', { job: 'y' }),
  ];
  const groups = [
    { labels: { job: 'x' }, receiver: { name: 'one' }, alerts: [a, b] },
    { labels: { job: 'x' }, receiver: { name: 'two' }, alerts: [a, b] },
    { labels: {}, receiver: { name: 'one' }, alerts: [c] },
  ];

  it('are those that are notified', () => {
    const shown = shownGroups(groups, null);
    expect(shown.map(({ receiver, alerts }) => [receiver, alerts.length])).toEqual([
      ['one', 2],
      ['two', 2],
      ['one', 1],
    ]);
    expect(new Set(shown.map(({ key }) => key)).size).toBe(3);
  });

  it('are made of the labels that are asked for, each alert once', () => {
    expect(
      shownGroups(groups, ['job', 'env']).map(({ labels, receiver, alerts }) => [
        labels,
        receiver,
        alerts.map(({ fingerprint }) => fingerprint),
      ]),
    ).toEqual([
      [{ job: 'x', env: 'p' }, null, ['1']],
      [{ job: 'x', env: '' }, null, ['2']],
      [{ job: 'y', env: '' }, null, ['3']],
    ]);
    expect(shownGroups(groups, []).map(({ alerts }) => alerts.length)).toEqual([3]);
  });
});
