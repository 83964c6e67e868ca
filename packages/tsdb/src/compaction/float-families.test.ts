import {
  createXorAppendState,
  resetXorAppend,
  XOR_CUT_BYTES,
  XOR_MAX_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  xorAppend,
  xorByteLength,
} from '@pollux/kernels';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EncodedChunk } from './chunk-family.ts';
import { FLOAT_FAMILIES } from './float-families.ts';

/** Words of any bits make chunks that are cut by their bytes, words of few make chunks of 120 samples. */
const values = fc
  .constantFrom(2 ** 32 - 1, 3)
  .chain((most) => fc.array(fc.tuple(fc.nat(most), fc.nat(most)), { maxLength: 500, size: 'max' }));

describe('XOR chunks of compaction', () => {
  it('end where those end that are written sample by sample, and have the same bytes', () => {
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 3 }), (series) => {
        const encoder = FLOAT_FAMILIES.xor.createEncoder();
        for (const pairs of series) {
          const timestampsMs = Float64Array.from(pairs, (_, i) => i * 15_000 + (i % 7));
          const words = Uint32Array.from(pairs.flat());
          const run = { family: FLOAT_FAMILIES.xor, count: pairs.length, timestampsMs, words };
          const chunks: string[] = [];
          const take = (chunk: EncodedChunk | null): boolean => {
            if (chunk !== null) chunks.push(told(chunk));
            return chunk !== null;
          };
          for (let i = 0; i < pairs.length; i++) take(encoder.add(run, i, true));
          while (take(encoder.finish()));
          expect(chunks).toEqual(oneByOne(timestampsMs, words));
        }
      }),
    );
  });
});

function told({ bytes, start, end, samples, minMs, maxMs }: EncodedChunk): string {
  return `${samples} ${minMs} ${maxMs} ${Buffer.from(bytes.subarray(start, end)).toString('hex')}`;
}

/** The chunks of Prometheus' rule: at most 120 samples, and none more once 1,005 bytes are passed. */
function oneByOne(timestampsMs: Float64Array, words: Uint32Array): string[] {
  const chunks: string[] = [];
  const state = createXorAppendState(1);
  const bytes = new Uint8Array(XOR_MAX_BYTES + XOR_SAMPLE_MAX_BYTES);
  let minMs = 0;
  timestampsMs.forEach((timestampMs, i) => {
    if (state.count[0] === 0) minMs = timestampMs;
    xorAppend(state, 0, bytes, 0, timestampMs, words[i * 2]!, words[i * 2 + 1]!);
    const end = xorByteLength(state, 0);
    const samples = state.count[0]!;
    if (samples < 120 && end <= XOR_CUT_BYTES && i + 1 < timestampsMs.length) return;
    chunks.push(told({ encoding: 1, bytes, start: 0, end, samples, minMs, maxMs: timestampMs }));
    resetXorAppend(state, 0);
  });
  return chunks;
}
