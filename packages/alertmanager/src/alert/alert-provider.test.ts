import { VirtualClock } from '@pollux/base';
import { Labels } from '@pollux/model';
import { expect, it } from 'vitest';
import { NotifyEvents } from '../events/notify-events.ts';
import { type Alert, AlertIdentity } from './alert.ts';
import { AlertProvider } from './alert-provider.ts';
import { Annotations } from './annotations.ts';

const HOUR = 3_600_000;

function version(nowMs: number, endsAtMs: number): Alert {
  return {
    identity: new AlertIdentity(Labels.from({ alertname: 'A' })),
    annotations: Annotations.from([]),
    startsAtMs: HOUR,
    endsAtMs,
    updatedAtMs: nowMs,
    generatorUrl: '',
    isTimeout: false,
  };
}

it('takes the word of a sender that goes on after the clock was set back', () => {
  let nowMs = 2 * HOUR;
  const clock = Object.assign(new VirtualClock(0), { now: () => nowMs });
  const provider = new AlertProvider({ clock, perAlertnameLimit: 0, events: new NotifyEvents() });
  // By this clock the alert had ended before it came; by its sender's, which is right, it fires.
  provider.put(version(nowMs, HOUR + 60_000));
  nowMs = HOUR + 90_000;
  provider.put(version(nowMs, nowMs + 60_000));
  const stored = provider.current(Labels.from({ alertname: 'A' }));
  expect(stored).toMatchObject({ endsAtMs: nowMs + 60_000, updatedAtMs: nowMs });
});

it('keeps the start of an alert whose end is told without it', () => {
  const clock = new VirtualClock(2 * HOUR);
  const provider = new AlertProvider({ clock, perAlertnameLimit: 0, events: new NotifyEvents() });
  provider.put(version(2 * HOUR, 9 * HOUR));
  // Who says only when it ended is taken to mean that it began at that moment.
  provider.put({ ...version(2 * HOUR, 2 * HOUR), startsAtMs: 2 * HOUR });
  const stored = provider.current(Labels.from({ alertname: 'A' }));
  expect(stored).toMatchObject({ startsAtMs: HOUR, endsAtMs: 2 * HOUR });
  provider.put({ ...version(3 * HOUR, 4 * HOUR), startsAtMs: 3 * HOUR });
  expect(provider.current(Labels.from({ alertname: 'A' }))).toMatchObject({ startsAtMs: 3 * HOUR });
});
