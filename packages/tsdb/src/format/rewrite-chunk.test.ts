import { SeededRandom } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeChunk, randomPart } from '../testing/mixed-chunks.ts';
import { chunkSampleCount, rewriteChunk } from './rewrite-chunk.ts';

describe('a chunk of any encoding', () => {
  it('that is rewritten keeps what it shall keep, in its encoding and with start timestamps', () => {
    const met = new Set<number>();
    fc.assert(
      fc.property(fc.nat(), fc.nat(4), (seed, share) => {
        const random = new SeededRandom(seed);
        for (const { bytes, ...chunk } of randomPart(random, 0, 300_000).chunks) {
          const before = decodeChunk(chunk.encoding, bytes);
          const kept = before.filter(() => random.below(4) < share);
          const times = new Set(kept.map(({ atMs }) => atMs));
          const padded = Uint8Array.from([1, 2, 3, ...bytes, 4]);
          const whole = { ...chunk, bytes: padded, start: 3, length: bytes.length };
          const cut = rewriteChunk(whole, (atMs) => times.has(atMs));
          met.add(chunk.encoding);
          if (cut === null) {
            expect(kept).toEqual([]);
            continue;
          }
          const { start, length, encoding, minMs, maxMs } = cut;
          expect(encoding).toBe(chunk.encoding);
          expect([minMs, maxMs]).toEqual([kept[0]!.atMs, kept.at(-1)!.atMs]);
          expect(chunkSampleCount(cut.bytes, start, encoding)).toBe(kept.length);
          expect(decodeChunk(encoding, cut.bytes.slice(start, start + length))).toEqual(kept);
        }
      }),
      { numRuns: 40 },
    );
    expect(met.size).toBe(7);
  });
});
