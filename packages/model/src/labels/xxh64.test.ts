import { describe, expect, it } from 'vitest';
import { xxh64 } from './xxh64.ts';

const hashOf = (text: string): bigint => xxh64(new TextEncoder().encode(text));

describe('XXH64', () => {
  it('gives the published values of texts shorter and longer than a stripe', () => {
    expect(hashOf('')).toBe(0xef46db3751d8e999n);
    expect(hashOf('a')).toBe(0xd24ec4f1a98c6e5bn);
    expect(hashOf('abc')).toBe(0x44bc2cf5ad770999n);
    expect(hashOf('Nobody inspects the spammish repetition')).toBe(0xfbcea83c8a378bf1n);
  });

  it('reads only the given part of a larger buffer', () => {
    const within = new TextEncoder()
      .encode('xNobody inspects the spammish repetitiony')
      .subarray(1, -1);
    expect(xxh64(within)).toBe(0xfbcea83c8a378bf1n);
  });
});
