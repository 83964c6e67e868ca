import { expect, it } from 'vitest';
import { liveAlerts } from './live-alerts.ts';

const ARRIVED_MS = Date.parse('2026-01-01T00:00:00Z');
const MINUTE_MS = 60_000;
const at = (minutes: number): string => new Date(ARRIVED_MS + minutes * MINUTE_MS).toISOString();

function liveNames(alerts: readonly unknown[], minutes: number): unknown {
  const body = new TextEncoder().encode(JSON.stringify(alerts));
  const nowMs = ARRIVED_MS + minutes * MINUTE_MS;
  const live = liveAlerts(body, ARRIVED_MS, { nowMs, resolveTimeoutMs: 5 * MINUTE_MS });
  expect(live.liveCount + live.expiredCount).toBe(alerts.length);
  const rest: unknown = JSON.parse(new TextDecoder().decode(live.body));
  return (rest as { labels: { alertname: string } }[]).map(({ labels }) => labels.alertname);
}

const ALERTS = [
  { labels: { alertname: 'short' }, endsAt: at(2) },
  { labels: { alertname: 'long' }, endsAt: at(30) },
  { labels: { alertname: 'open' } },
  { labels: { alertname: 'ended' }, endsAt: at(-10) },
];

it.each([
  [0, ['short', 'long', 'open', 'ended']],
  [3, ['long', 'open', 'ended']],
  [6, ['long']],
  [31, []],
])('%s minutes after they came these are worth delivering: %j', (minutes, names) => {
  expect(liveNames(ALERTS, minutes)).toEqual(names);
});

it('leaves what is no list of alerts to those who know the words for it', () => {
  const body = new TextEncoder().encode('{');
  const live = liveAlerts(body, 0, { nowMs: 1e12, resolveTimeoutMs: 1 });
  expect(live).toEqual({ body, liveCount: 1, expiredCount: 0 });
});
