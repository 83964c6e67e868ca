import { snappyDecode, snappyEncode } from '@pollux/remote';
import { describe, expect, it } from 'vitest';
import { canFollow, mergedWrite } from './merge-writes.ts';
import type { SpooledWrite } from './spool-record.ts';

function write(more: Partial<SpooledWrite> = {}): SpooledWrite {
  return {
    kind: 'lines',
    arrivedMs: 1,
    target: '/w',
    headers: {},
    body: new Uint8Array(),
    ...more,
  };
}

describe('writes in one request', () => {
  it.each([
    ['the same', write(), write({ headers: { 'x-request-id': '2' } }), true],
    ['another target', write(), write({ target: '/v' }), false],
    ['another user', write(), write({ headers: { authorization: 'x' } }), false],
    [
      'packed lines',
      write({ headers: { 'content-encoding': 'gzip' } }),
      write({ headers: { 'content-encoding': 'gzip' } }),
      false,
    ],
    ['alerts', write({ kind: 'alerts' }), write({ kind: 'alerts' }), false],
    ['remote write 1.0', write({ kind: 'remote-write' }), write({ kind: 'remote-write' }), true],
  ])('%s', (_, first, second, expected) => {
    expect(canFollow(first, second)).toBe(expected);
  });

  it('are no requests of remote write 2.0', () => {
    const headers = {
      'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    };
    const second = write({ kind: 'remote-write', headers });
    expect(canFollow(second, second)).toBe(false);
  });

  it('are all lines in their order', async () => {
    const bodies = ['a v=1 1', 'b v=2 2\n', 'c v=3 3'].map((text) =>
      new TextEncoder().encode(text),
    );
    const merged = await mergedWrite(bodies.map((body) => write({ body })));
    const lines = new TextDecoder().decode(merged?.body).split('\n').filter(Boolean);
    expect(lines).toEqual(['a v=1 1', 'b v=2 2', 'c v=3 3']);
  });

  it('are all messages in their order, unless one is malformed', async () => {
    const writes = [[1, 2], [], [3]].map((bytes) =>
      write({ kind: 'remote-write', body: snappyEncode(Uint8Array.from(bytes)) }),
    );
    const merged = await mergedWrite(writes);
    expect([...(await snappyDecode(merged?.body ?? new Uint8Array()))]).toEqual([1, 2, 3]);
    const bad = write({ kind: 'remote-write', body: Uint8Array.of(9, 9, 9) });
    expect(await mergedWrite([...writes, bad])).toBeNull();
  });
});
