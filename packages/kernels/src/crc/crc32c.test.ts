import { crc32c as crc32cReference } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadNativeKernels } from '../native/native-kernels.ts';
import { crc32c } from './crc32c.ts';
import { createNativeCrc32c } from './native-crc32c.ts';

const native = await loadNativeKernels();
const twin = native === null ? null : createNativeCrc32c(native);
const data = fc.sample(fc.uint8Array({ minLength: 200_000, maxLength: 200_000 }), 1)[0]!;

describe('checksums', () => {
  it.skipIf(twin === null)(
    `by WebAssembly are those of the reference, from any place, of any size, continued from any${twin === null ? ' (skipped: it is not built; npm run build)' : ''}`,
    () => {
      const sizes = fc.oneof({ weight: 10, arbitrary: fc.nat(3_000) }, fc.nat(190_000));
      fc.assert(
        fc.property(fc.nat(10_000), sizes, fc.nat(0xffffffff), (start, size, crc) => {
          const wanted = crc32cReference(data, start, start + size, crc);
          expect(crc32c(data, start, start + size, crc, twin)).toBe(wanted);
          for (let small = 0; small < 48; small++) {
            twin!.input.set(data.subarray(start, start + small));
            expect(twin!.update(small, crc)).toBe(crc32cReference(data, start, start + small, crc));
          }
        }),
      );
    },
  );

  it('of the whole array are the default, and without WebAssembly the same', () => {
    expect(crc32c(data)).toBe(crc32cReference(data));
    expect(crc32c(data, 0, data.length, 0, null)).toBe(crc32cReference(data));
    // The check value of the polynomial's catalogue, repeated until it is large.
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  });
});
