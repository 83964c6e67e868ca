import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter, crc32, crc32c, DecodeError, ProgrammerError } from '../index.ts';

const SAFE = Number.MAX_SAFE_INTEGER;
const safe = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(-SAFE, SAFE, 0, -1, 2 ** 32, -(2 ** 32)),
);

function written(write: (target: ByteWriter) => void): Uint8Array {
  const target = new ByteWriter(0);
  write(target);
  return target.take();
}

describe('bytes', () => {
  it('come back as they were written, whatever their order and growth', () => {
    const value = fc.oneof(
      safe.map((v) => ['i64', v] as const),
      fc.maxSafeNat().map((v) => ['uvarint', v] as const),
      fc.integer({ min: -(2 ** 52) + 1, max: 2 ** 52 - 1 }).map((v) => ['varint', v] as const),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((v) => ['uvarint64', v] as const),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((v) => ['u64', v] as const),
      fc.double({ noNaN: true }).map((v) => ['f64', v] as const),
      fc.double({ noNaN: true }).map((v) => ['f64le', v] as const),
      fc.string({ unit: 'grapheme' }).map((v) => ['uvarintText', v] as const),
      fc.nat({ max: 2 ** 32 - 1 }).map((v) => ['u32le', v] as const),
    );
    fc.assert(
      fc.property(fc.array(value), (values) => {
        const bytes = written((target) => {
          for (const [kind, v] of values) (target[kind] as (v: unknown) => void).call(target, v);
        });
        const source = new ByteReader(bytes);
        for (const [kind, v] of values) expect(source[kind]()).toBe(v);
        expect(source.remaining).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('know the edges of 2^53: the last safe number passes, the next is refused by both sides', () => {
    expect(new ByteReader(written((w) => w.uvarint(SAFE))).uvarint()).toBe(SAFE);
    expect(new ByteReader(written((w) => w.varint(-(2 ** 52)))).varint()).toBe(-(2 ** 52));
    for (const v of [127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 31, 2 ** 35 - 1, 2 ** 49, SAFE]) {
      expect(written((w) => w.uvarint(v))).toEqual(written((w) => w.uvarint64(BigInt(v))));
    }
    for (const v of [SAFE + 1, -1, 1.5, Number.NaN]) {
      expect(() => written((w) => w.uvarint(v))).toThrow(ProgrammerError);
    }
    expect(() => new ByteReader(written((w) => w.uvarint64(2n ** 53n))).uvarint()).toThrow(
      DecodeError,
    );
    expect(() => new ByteReader(written((w) => w.u64(2n ** 53n))).i64()).toThrow(DecodeError);
    expect(() => new ByteReader(written((w) => w.u64(2n ** 64n - 2n ** 53n))).i64()).toThrow(
      DecodeError,
    );
  });

  it('write negative numbers of 64 bits as protobuf does', () => {
    expect(Buffer.from(written((w) => w.uvarint64(-1n))).toString('hex')).toBe(
      'ffffffffffffffffff01',
    );
  });

  it('refuse varints that are too long or too large', () => {
    const over = Uint8Array.of(...new Array(9).fill(0xff), 0x02);
    expect(() => new ByteReader(over).uvarint64()).toThrow('varint out of range');
    expect(() => new ByteReader(new Uint8Array(11).fill(0x80)).uvarint64()).toThrow(DecodeError);
    expect(() => new ByteReader(new Uint8Array(11).fill(0x80)).uvarint()).toThrow(DecodeError);
  });

  it('never read outside their window and never throw anything else, whatever the bytes', () => {
    const calls = [
      'u8',
      'u16',
      'u32',
      'i64',
      'f64',
      'uvarint',
      'uvarint64',
      'uvarintText',
    ] as const;
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 24 }),
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: -2, max: 40 }),
        fc.array(fc.constantFrom(...calls)),
        (data, start, end, reads) => {
          const source = new ByteReader(data, start, end);
          try {
            for (const read of reads) source[read]();
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
          expect(source.offset <= Math.max(start, Math.min(end, data.length))).toBe(true);
        },
      ),
    );
    expect(() => new ByteReader(new Uint8Array(8)).raw(Number.NaN)).toThrow(DecodeError);
  });

  it('patch only what was written', () => {
    const target = new ByteWriter(64);
    target.u32(0);
    target.patchU32(0, 0xdeadbeef);
    expect(new ByteReader(target.bytes()).u32()).toBe(0xdeadbeef);
    expect(() => target.patchU32(1, 1)).toThrow(ProgrammerError);
  });
});

describe('checksums', () => {
  it('give the published check values, in one go or in parts', () => {
    const text = new TextEncoder().encode('123456789');
    expect(crc32c(text)).toBe(0xe3069283);
    expect(crc32(text)).toBe(0xcbf43926);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat({ max: 64 }), (data, cut) => {
        const at = Math.min(cut, data.length);
        expect(crc32c(data, at, data.length, crc32c(data, 0, at))).toBe(crc32c(data));
      }),
    );
  });
});
