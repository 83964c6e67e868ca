import { SeededRandom, VirtualClock } from '@pollux/base';
import { Labels } from '@pollux/model';
import { Registry } from '@pollux/telemetry';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NotifyEvents } from '../events/notify-events.ts';
import { fromMs } from '../wire/timestamp.ts';
import { type SilenceRecord, silenceRecord } from './codec.ts';
import { SilenceStore } from './silence-store.ts';

const NOW = 1_000_000;

function store(clock = new VirtualClock(NOW)): SilenceStore {
  return new SilenceStore({
    registry: new Registry(),
    env: { clock, random: new SeededRandom(7) },
    retentionMs: 1_000_000,
    maxSilences: 0,
    maxSilenceBytes: 0,
    events: new NotifyEvents(),
  });
}

function version(id: number, updatedAtMs: number, comment: string): SilenceRecord {
  const silence = {
    id: `id-${id}`,
    matchers: [{ name: 'a', operator: '=', pattern: String(id) } as const],
    startsAt: fromMs(NOW),
    endsAt: fromMs(NOW + 60_000),
    updatedAt: fromMs(updatedAtMs),
    createdBy: 'x',
    comment,
    annotations: new Map<string, string>(),
    unknownFields: new Uint8Array(0),
    isApplicable: true,
  };
  return silenceRecord(silence, fromMs(NOW + 1_060_000));
}

function content(of: SilenceStore): string[] {
  return [...of.all()].map(({ id, comment }) => `${id} ${comment}`).sort();
}

describe('silences of several members', () => {
  it('become the same everywhere, in whatever order and however often their versions arrive', () => {
    // One comment for each version: of two versions with one time, members keep the one they know.
    const versions = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 9 })),
      {
        minLength: 1,
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(
        versions,
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (all, luck) => {
          const records = all.map(([id, at]) => version(id, at, `version ${at}`));
          const shuffled = [...records, ...records]
            .map((record) => ({ record, rank: luck.next().value as number }))
            .sort((x, y) => x.rank - y.rank)
            .map(({ record }) => record);
          const one = store();
          const two = store();
          for (const { bytes } of records) one.merge(bytes);
          for (const { bytes } of shuffled) two.merge(bytes);
          expect(content(two)).toEqual(content(one));
          const three = store();
          three.merge(one.marshal());
          expect(content(three)).toEqual(content(one));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('are relayed once, when they are news and small', () => {
    const sent: Uint8Array[] = [];
    const one = store();
    one.connect((data) => sent.push(data));
    const small = version(1, 5, 'small');
    const large = version(2, 5, 'x'.repeat(700));
    for (const { bytes } of [small, small, large]) one.merge(bytes);
    expect(sent).toEqual([small.bytes]);
    expect(one.size).toBe(2);
  });

  it('are not revived after their retention', () => {
    const one = store(new VirtualClock(NOW + 1_060_001));
    one.merge(version(1, 5, 'old').bytes);
    expect(one.size).toBe(0);
  });
});

describe('two changes within one millisecond', () => {
  it('have an order that every member sees', () => {
    const sent: Uint8Array[] = [];
    const one = store();
    one.connect((data) => sent.push(data));
    const id = one.set({
      id: '',
      matchers: [{ name: 'a', operator: '=', pattern: 'b' }],
      startsAtMs: NOW,
      endsAtMs: NOW + 60_000,
      createdBy: 'x',
      comment: '',
      annotations: new Map(),
    });
    one.expire(id);
    const two = store();
    for (const data of sent) two.merge(data);
    expect(one.silencedBy(Labels.from({ a: 'b' }))).toEqual([]);
    expect(two.silencedBy(Labels.from({ a: 'b' }))).toEqual([]);
    expect(two.countByState()).toEqual({ pending: 0, active: 0, expired: 1 });
  });
});
