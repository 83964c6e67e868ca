import { SeededRandom, VirtualClock } from '@pollux/base';
import { Labels } from '@pollux/model';
import { Registry } from '@pollux/telemetry';
import { afterEach, describe, expect, it } from 'vitest';
import { type Alert, AlertIdentity } from '../alert/alert.ts';
import { AlertProvider } from '../alert/alert-provider.ts';
import { Annotations } from '../alert/annotations.ts';
import { SilenceStore } from '../silence/silence-store.ts';
import type { NotifyEvent } from './notify-event.ts';
import { NotifyEvents } from './notify-events.ts';

const clock = new VirtualClock(1_000_000);

function alert(endsInMs: number, annotation = ''): Alert {
  return {
    identity: new AlertIdentity(Labels.from({ alertname: 'A' })),
    annotations: Annotations.from([['summary', annotation]]),
    startsAtMs: clock.now() - 10,
    endsAtMs: clock.now() + endsInMs,
    updatedAtMs: clock.now(),
    generatorUrl: '',
    isTimeout: false,
  };
}

const heard: NotifyEvent[] = [];
const changes = (): string[] =>
  heard.splice(0).flatMap((event) => ('change' in event ? [event.change] : []));

afterEach(() => {
  heard.splice(0);
});

describe('what an alert does is told', () => {
  const events = new NotifyEvents();
  events.subscribe((event) => heard.push(event));
  const provider = new AlertProvider({ clock, perAlertnameLimit: 0, events });

  it('once when it fires, not when its sender repeats it, and when its text changes', () => {
    provider.put(alert(60_000));
    provider.put(alert(60_000));
    expect(changes()).toEqual(['fired']);
    provider.put(alert(60_000, 'worse'));
    expect(changes()).toEqual(['changed']);
  });

  it('once when its sender ends it', async () => {
    provider.put(alert(0, 'worse'));
    provider.put(alert(0, 'worse'));
    await clock.advance(10_000);
    provider.tellEnds();
    expect(changes()).toEqual(['resolved']);
  });

  it('once when nobody repeats it, also when it comes back before that was noticed', async () => {
    provider.put(alert(1_000));
    await clock.advance(2_000);
    provider.tellEnds();
    provider.tellEnds();
    expect(changes()).toEqual(['fired', 'timed out']);
    provider.put(alert(1_000));
    await clock.advance(2_000);
    provider.put(alert(1_000));
    provider.tellEnds();
    expect(changes()).toEqual(['fired', 'timed out', 'fired']);
  });

  it('to nobody after the last listener has left', () => {
    const quiet = new NotifyEvents();
    const leave = quiet.subscribe((event) => heard.push(event));
    leave();
    expect(quiet.isHeard).toBe(false);
  });
});

describe('what silences do is told', () => {
  it('with its origin, and not when a snapshot is read', () => {
    const make = (events: NotifyEvents, seed: number): SilenceStore =>
      new SilenceStore({
        registry: new Registry(),
        env: { clock, random: new SeededRandom(seed) },
        retentionMs: 60_000,
        maxSilences: 0,
        maxSilenceBytes: 0,
        events,
      });
    const events = new NotifyEvents();
    const origins: string[] = [];
    events.subscribe((event) => {
      if (event.kind === 'silence') origins.push(`${event.change} ${event.origin}`);
    });
    const here = make(events, 1);
    const there = make(new NotifyEvents(), 2);
    const id = there.set({
      id: '',
      matchers: [{ name: 'a', operator: '=', pattern: 'b' }],
      startsAtMs: clock.now(),
      endsAtMs: clock.now() + 5_000,
      createdBy: 'me',
      comment: '',
      annotations: new Map(),
    });
    here.load(there.marshal());
    expect(origins).toEqual([]);
    here.expire(id);
    expect(origins).toEqual(['expired here']);
    const third = make(events, 3);
    third.merge(there.marshal());
    expect(origins).toEqual(['expired here', 'created cluster']);
  });
});
