import { describe, expect, it } from 'vitest';
import { type ExplainedAlert, inWords } from './explanation.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 12);
const before = (ms: number): string => new Date(NOW_MS - ms).toISOString();

type Route = ExplainedAlert['routes'][number];

function route(changes: Partial<Route> = {}): Route {
  return {
    path: [{ matchers: '{}' }, { matchers: '{severity="page"}' }],
    receiver: 'team',
    group: { labels: {} },
    times: { isMuted: false, by: [], until: null },
    state: {
      alerts: 3,
      nextFlush: { at: before(-60_000), because: 'group_interval' },
      isFlushing: false,
      withheld: null,
      integrations: [],
    },
    ...changes,
  };
}

function words(one: Route): readonly string[] {
  const alert = {
    acknowledgedBy: [],
    inhibitedBy: null,
    silencedBy: [],
    routes: [one],
    member: { position: 0, waitSeconds: 0 },
  };
  return inWords(alert, NOW_MS).flatMap(({ title, lines }) => [title, ...lines]);
}

describe('why, in words', () => {
  it('names the way, the group and what holds back', () => {
    expect(words(route())).toEqual([
      'team, by {severity="page"}',
      'Its group (with 2 others) is looked at in 1m (group_interval).',
    ]);
    const state = { ...route().state!, alerts: 1, isFlushing: true };
    expect(
      words(
        route({
          path: [{ matchers: '{}' }],
          times: { isMuted: true, by: ['nights'], until: before(-3_600_000) },
          state: { ...state, withheld: { reason: 'mute_time_interval', by: ['nights'] } },
        }),
      ),
    ).toEqual([
      'team, by the top route',
      'The route is muted by nights until in 1h.',
      'It is held back by mute time interval: nights.',
      'Its group (alone) is being notified now.',
    ]);
    expect(words(route({ state: null }))[1]).toContain('its end has been notified');
  });

  it('tells what each integration did and will do', () => {
    const integrations = [
      { integration: 'a[0]', log: null, now: null, underWay: null, lastAttempts: [] },
      {
        integration: 'b[0]',
        log: { notifiedAt: before(120_000), alertIsIn: 'neither' as const },
        now: { isDue: false, because: 'notified already', repeatAt: before(-7_200_000) },
        underWay: { attempt: 2, error: 'refused' },
        lastAttempts: [{ time: before(1_000), result: 'failed', error: 'timed out' }],
      },
    ];
    expect(words(route({ state: { ...route().state!, integrations } })).slice(2)).toEqual([
      'a[0]: nothing was notified yet.',
      'b[0]: the group was notified 2m ago, without this alert.',
      'b[0]: it would not be sent now (notified already); repeated in 2h.',
      'b[0]: attempt 2 failed and is tried again: refused',
      'b[0]: failed 1s ago: timed out',
    ]);
  });
});
