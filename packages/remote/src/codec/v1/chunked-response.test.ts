import { ByteWriter, DecodeError } from '@pollux/base';
import { crc32c, createXorEncoder, xorEncode } from '@pollux/kernels';
import { Labels, setStaleAt, wordsOf } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import { encodeLabels } from '../../index.ts';
import { ChunkedResponseReader } from './chunked-response.ts';

const TIMES = Array.from({ length: 300 }, (_, i) => 1_700_000_000_000 + i * 15_000 + (i % 3));

function message(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter(1024);
  write(out);
  return out.take();
}

function field(out: ByteWriter, tag: number, bytes: Uint8Array): void {
  out.u8(tag);
  out.uvarint(bytes.length);
  out.raw(bytes);
}

function valuesOf(times: readonly number[]): Float64Array {
  const values = Float64Array.from(times, (_, i) => i * 1.5);
  setStaleAt(wordsOf(values), times.length - 1);
  return values;
}

/** One series in one frame, as a server streams it. */
function frame(labels: Labels, times: readonly number[], encoding = 1): Uint8Array {
  const bytes = new Uint8Array(8_192);
  const columns = Float64Array.from(times);
  const words = wordsOf(valuesOf(times));
  const length = xorEncode(createXorEncoder(8_000), columns, words, 0, times.length, bytes, 0);
  const chunk = message((out) => {
    out.u8(0x08);
    out.uvarint(times[0] ?? 0);
    out.u8(0x10);
    out.uvarint(times.at(-1) ?? 0);
    out.u8(0x18);
    out.uvarint(encoding);
    field(out, 0x22, bytes.subarray(0, length));
  });
  const series = message((out) => {
    out.raw(encodeLabels(labels));
    field(out, 0x12, chunk);
  });
  const body = message((out) => field(out, 0x0a, series));
  return message((out) => {
    out.uvarint(body.length);
    const sum = crc32c(body);
    for (const shift of [24, 16, 8, 0]) out.u8((sum >>> shift) & 0xff);
    out.raw(body);
  });
}

function joined(...frames: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(frames));
}

const ALL_TIME = { minMs: Number.MIN_SAFE_INTEGER, maxMs: Number.MAX_SAFE_INTEGER };

function decodeChunkedResponse(data: Uint8Array, pieceBytes = data.length) {
  const reader = new ChunkedResponseReader();
  for (let at = 0; at < data.length; at += pieceBytes) reader.push(data.slice(at, at + pieceBytes));
  reader.end();
  return reader.take().map((series) => series.columns(ALL_TIME));
}

describe('a streamed answer to a remote read', () => {
  const up = Labels.from({ __name__: 'up', job: 'a' });
  const other = Labels.from({ __name__: 'up', job: 'b' });

  it('gives each series its chunks, also of several frames, bit for bit', () => {
    const data = joined(
      frame(up, TIMES.slice(0, 120)),
      frame(up, TIMES.slice(120)),
      frame(other, TIMES.slice(0, 1)),
    );
    const series = decodeChunkedResponse(data) ?? [];
    expect(series.map(({ labels, count }) => [labels.get('job'), count])).toEqual([
      ['a', 300],
      ['b', 1],
    ]);
    expect([...series[0]!.timestampsMs]).toEqual(TIMES);
    const expected = [...valuesOf(TIMES.slice(0, 120)), ...valuesOf(TIMES.slice(120))];
    expect([...wordsOf(series[0]!.values)]).toEqual([...wordsOf(Float64Array.from(expected))]);
    expect(decodeChunkedResponse(new Uint8Array())).toEqual([]);
  });

  it('comes in pieces of any size', () => {
    const data = joined(frame(up, TIMES.slice(0, 120)), frame(other, TIMES.slice(0, 9)));
    for (const pieceBytes of [1, 2, 7, 100, data.length - 1]) {
      expect(decodeChunkedResponse(data, pieceBytes)).toEqual(decodeChunkedResponse(data));
    }
  });

  it('gives only what lies in a range, and decodes no chunk beside it', () => {
    const reader = new ChunkedResponseReader();
    reader.push(joined(frame(up, TIMES.slice(0, 120)), frame(up, TIMES.slice(120))));
    reader.end();
    const [series] = reader.take();
    const range = { minMs: TIMES[100]!, maxMs: TIMES[130]! };
    expect([...series!.columns(range).timestampsMs.subarray(0, 31)]).toEqual(TIMES.slice(100, 131));
    expect(series!.countAtMost({ minMs: 0, maxMs: TIMES[119]! })).toBe(120);
    expect(series!.countAtMost({ minMs: 0, maxMs: TIMES[0]! - 1 })).toBe(0);
  });

  it('is refused when it is damaged, cut short or out of order', () => {
    const good = frame(up, TIMES.slice(0, 100));
    for (let length = 1; length < good.length; length++)
      expect(() => decodeChunkedResponse(good.slice(0, length))).toThrow(DecodeError);
    for (let at = 0; at < good.length; at++) {
      const bad = good.slice();
      bad[at] = bad[at]! ^ 0x10;
      expect(() => decodeChunkedResponse(bad)).toThrow(DecodeError);
    }
    const again = joined(frame(up, TIMES.slice(50, 100)), frame(up, TIMES.slice(0, 50)));
    expect(() => decodeChunkedResponse(again)).toThrow('not in order of time');
  });
});
