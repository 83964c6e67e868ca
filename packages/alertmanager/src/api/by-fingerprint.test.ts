import { Slices, VirtualClock } from '@pollux/base';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sampleAlert } from '../testing/sample-notification.ts';
import { byFingerprint } from './by-fingerprint.ts';

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
        identity: Object.assign(Object.create(sample.identity), { fingerprint }) as never,
      }));
      const order = await byFingerprint(alerts, slices);
      expect([...order].map((index) => fingerprints[index])).toEqual([...fingerprints].sort());
    }),
  );
});
