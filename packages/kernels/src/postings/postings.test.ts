import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadNativeKernels } from '../native/native-kernels.ts';
import { createNativePostings } from './native-postings.ts';
import {
  intersectPostings,
  mergePostings,
  seekPostings,
  subtractPostings,
  unitePostings,
} from './postings.ts';

const native = await loadNativeKernels();
/** The reference, and the twin where it is built. */
const IMPLEMENTATIONS = [null, ...(native === null ? [] : [createNativePostings(native)])];

/** Short and long lists, so that both the walking and the skipping intersection run. */
const list = fc
  .tuple(fc.constantFrom(3, 40, 2000), fc.constantFrom(50, 5000, 2 ** 32 - 1))
  .chain(([maxLength, max]) => fc.uniqueArray(fc.nat(max), { maxLength, size: 'max' }))
  .map((numbers) => Uint32Array.from(numbers).sort());

function bytesOf(refs: Uint32Array): Uint8Array {
  return new Uint8Array(refs.buffer, refs.byteOffset, refs.byteLength);
}

function ascending(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b);
}

describe('postings', () => {
  it.skipIf(native === null)(
    `are intersected by WebAssembly too${native === null ? ' (skipped: it is not built; npm run build)' : ''}`,
    () => expect(IMPLEMENTATIONS).toHaveLength(2),
  );

  it('longer than a window of WebAssembly intersect as by the reference, however they lie to each other', () => {
    const every = (step: number, from: number, count: number): Uint32Array =>
      Uint32Array.from({ length: count }, (_, i) => from + i * step);
    const top = 2 ** 32;
    const lists = [
      every(2, 0, 100_000),
      every(3, 1, 60_000),
      every(1, 50_000, 20_000),
      every(1, 300_000, 16_385),
      every(7, top - 7 * 30_000, 30_000),
      every(11, top - 11 * 40_000, 40_000),
      every(1, top - 16_384, 16_384),
    ];
    for (const a of lists) {
      for (const b of lists) {
        const room = Math.min(a.length, b.length);
        const [first, ...others] = IMPLEMENTATIONS.map((implementation) => {
          const target = new Uint32Array(room);
          return target.subarray(0, intersectPostings(a, b, target, implementation));
        });
        for (const other of others) expect(Buffer.compare(bytesOf(other), bytesOf(first!))).toBe(0);
      }
    }
  });

  it('intersect as sets do', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const other = new Set(b);
        const wanted = a.filter((ref) => other.has(ref));
        for (const implementation of IMPLEMENTATIONS) {
          const target = new Uint32Array(Math.min(a.length, b.length));
          const count = intersectPostings(a, b, target, implementation);
          expect(target.subarray(0, count)).toEqual(wanted);
        }
      }),
    );
  });

  it('unite as sets do', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const target = new Uint32Array(a.length + b.length);
        const count = unitePostings(a, b, target);
        expect([...target.subarray(0, count)]).toEqual(ascending(new Set([...a, ...b])));
      }),
    );
  });

  it('subtract as sets do', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const target = new Uint32Array(a.length);
        const count = subtractPostings(a, b, target);
        const other = new Set(b);
        expect([...target.subarray(0, count)]).toEqual([...a].filter((ref) => !other.has(ref)));
      }),
    );
  });

  it('merge any number of lists', () => {
    fc.assert(
      fc.property(fc.array(list, { maxLength: 9 }), (lists) => {
        const all = new Set(lists.flatMap((refs) => [...refs]));
        expect([...mergePostings(lists)]).toEqual(ascending(all));
      }),
    );
  });

  it('are searched from any place on', () => {
    fc.assert(
      fc.property(list, fc.nat(2 ** 32 - 1), fc.nat(2000), (refs, wanted, from) => {
        const expected = refs.findIndex((ref, index) => index >= from && ref >= wanted);
        const end = Math.max(from, refs.length);
        expect(seekPostings(refs, wanted, from)).toBe(expected < 0 ? end : expected);
      }),
    );
  });
});
