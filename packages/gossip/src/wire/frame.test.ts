import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WireError } from '../errors.ts';
import { encodeFrame, type Frame, FrameDecoder } from './frame.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
/** As captured from Alertmanager 0.25: a ping of 89 bytes. */
const CAPTURED = hex(
  '760000000a0676302e312e3010011a0f3132372e302e302e313a323930393422590085a44e6f6465a646414b452d54a55365714e6f01aa536f7572636541646472a47f000001aa536f757263654e6f6465ba30314d38305937305835343832574b465951304842384b394b4eaa536f75726365506f7274cd71a6',
);

test('a captured frame is read, and written byte for byte', () => {
  const decoder = new FrameDecoder();
  decoder.push(CAPTURED);
  const frame = decoder.next();
  expect(frame).toMatchObject({ kind: 'packet', from: '127.0.0.1:29094' });
  expect(frame === null ? null : [...encodeFrame(frame)]).toEqual([...CAPTURED]);
  expect([...encodeFrame({ kind: 'stream' })]).toEqual([...hex('080000000a0676302e312e30')]);
});

test('frames may come in any pieces, and what follows them is kept', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
      fc.uint8Array({ maxLength: 3 }),
      fc.integer({ min: 1, max: 50 }),
      (packets, tail, size) => {
        const sent: Frame[] = packets.map((packet) => ({ kind: 'packet', from: 'a:1', packet }));
        const bytes = Buffer.concat([...sent.map(encodeFrame), tail]);
        const decoder = new FrameDecoder();
        const seen: Frame[] = [];
        for (let at = 0; at < bytes.length; at += size) {
          decoder.push(Uint8Array.from(bytes.subarray(at, at + size)));
          for (let next = decoder.next(); next !== null; next = decoder.next()) seen.push(next);
        }
        expect(seen.map((frame) => (frame.kind === 'packet' ? [...frame.packet] : null))).toEqual(
          packets.map((packet) => [...packet]),
        );
        expect([...decoder.rest]).toEqual([...tail]);
      },
    ),
  );
});

test('garbage is a typed error or a wait for more, and a huge length is refused before it is there', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const decoder = new FrameDecoder();
      decoder.push(bytes);
      try {
        while (decoder.next() !== null);
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }),
  );
  const decoder = new FrameDecoder();
  decoder.push(Uint8Array.of(255, 255, 255, 127));
  expect(() => decoder.next()).toThrow('a frame of 2147483647 bytes');
  const old = new FrameDecoder();
  old.push(hex('080000000a0676302e322e30'));
  expect(() => old.next()).toThrow('frame of version "v0.2.0"');
});
