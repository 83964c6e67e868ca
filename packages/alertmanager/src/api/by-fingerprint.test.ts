import { Slices, VirtualClock } from '@pollux/base';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sampleAlert } from '../testing/sample-notification.ts';
import { byFingerprint } from './by-fingerprint.ts';

/** As much of an identity as is looked at. */
function ofFingerprint(hex: string): never {
  const [fingerprintHigh, fingerprintLow] = [hex.slice(0, 8), hex.slice(8)].map(
    (half) => Number.parseInt(half, 16) | 0,
  );
  return { fingerprintHigh, fingerprintLow } as never;
}

it('sorts thousands of them, and gives the thread away meanwhile', async () => {
  // A clock by which each look at it takes a tenth of a millisecond.
  let nowMs = 0;
  const clock = new VirtualClock(0);
  clock.monotonic = () => {
    nowMs += 0.1;
    return nowMs;
  };
  const sample = sampleAlert({ alertname: 'A' });
  const fingerprints = Array.from(
    { length: 20_000 },
    (_, i) =>
      // Most begin with other bytes; a tenth begin alike, to the eighth digit.
      (i % 10 === 0
        ? '00000007'
        : Math.imul(i, 0x9e3779b1).toString(16).replace('-', '').padStart(8, '0')) +
      Math.imul(i + 1, 0x85ebca6b)
        .toString(16)
        .replace('-', '')
        .padStart(8, '0'),
  );
  const alerts = fingerprints.map((fingerprint) => ({
    ...sample,
    identity: ofFingerprint(fingerprint),
  }));
  let turns = 0;
  let isOver = false;
  const tick = (): void => {
    turns++;
    if (!isOver) setImmediate(tick);
  };
  setImmediate(tick);
  const order = await byFingerprint(alerts, new Slices(clock));
  isOver = true;
  expect([...order].map((index) => fingerprints[index])).toEqual([...fingerprints].sort());
  expect(turns).toBeGreaterThan(3);
});

it('sorts alerts by their fingerprints, those that begin alike too', async () => {
  const slices = new Slices(new VirtualClock(0));
  const hex = fc
    .tuple(fc.constantFrom('ffffffff', '00000000', 'a0b1c2d3', '12345678'), fc.nat(0xffffffff))
    .map(([first, last]) => first + last.toString(16).padStart(8, '0'));
  await fc.assert(
    fc.asyncProperty(fc.array(hex, { maxLength: 50 }), async (fingerprints) => {
      const sample = sampleAlert({ alertname: 'A' });
      const alerts = fingerprints.map((fingerprint) => ({
        ...sample,
        identity: ofFingerprint(fingerprint),
      }));
      const order = await byFingerprint(alerts, slices);
      expect([...order].map((index) => fingerprints[index])).toEqual([...fingerprints].sort());
    }),
  );
});
