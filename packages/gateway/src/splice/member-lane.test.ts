import { CanceledError, DecodeError, ExchangeError, type HttpPoolResponse } from '@pollux/base';
import { Labels } from '@pollux/model';
import { CHUNKED_CONTENT_TYPE, ChunkFrameWriter } from '@pollux/remote';
import { MemoryBudget, type SeriesColumns } from '@pollux/storage';
import { describe, expect, it } from 'vitest';
import { Upstream } from '../upstream.ts';
import { MemberLane, UnsortedError } from './member-lane.ts';
import { MemberReadError } from './member-read-error.ts';

const RANGE = { minMs: 0, maxMs: 1_000 };

function columns(labels: Record<string, string>, ...timesMs: readonly number[]): SeriesColumns {
  return {
    labels: Labels.from(labels),
    count: timesMs.length,
    timestampsMs: Float64Array.from(timesMs),
    values: Float64Array.from(timesMs),
    histograms: null,
    startTimestampsMs: null,
    replica: '',
  };
}

function framesOf(...series: readonly SeriesColumns[]): Uint8Array[] {
  return series.flatMap((one) => {
    const writer = new ChunkFrameWriter(0);
    writer.add(one);
    return writer.finish();
  });
}

async function* pieces(parts: readonly Uint8Array[], end?: () => Error) {
  yield* parts;
  if (end !== undefined) throw end();
}

function laneOver(body: HttpPoolResponse['body'], isSorting = false) {
  const budget = new MemoryBudget(1e6);
  const headers = { 'content-type': CHUNKED_CONTENT_TYPE };
  const lane = new MemberLane({
    member: 'a',
    range: RANGE,
    context: { signal: new AbortController().signal, budget },
    ownLabels: (given) => given.drop(new Set(['replica'])),
    isSorting,
    ask: async () => ({ status: 200, headers, body }),
    onFault: (cause) => new MemberReadError(new Upstream('a', 'http://a'), 'bad', { cause }),
  });
  return { lane, budget };
}

async function all(lane: MemberLane): Promise<string[][]> {
  const batches: string[][] = [];
  for (let batch = await lane.next(); batch !== null; batch = await lane.next())
    batches.push(batch.map((one) => `${one.labels} ${one.columns(RANGE).timestampsMs.join()}`));
  return batches;
}

const A = columns({ n: 'a', replica: 'x' }, 1, 2);
const B = columns({ n: 'b', replica: 'x' }, 3);
const C = columns({ n: 'c', replica: 'x' }, 4);

describe('series of a member', () => {
  it('are there before the answer has ended, and hold no more memory than is not read', async () => {
    const { lane, budget } = laneOver(pieces(framesOf(A, B, C)));
    expect((await lane.next())?.map(({ labels }) => String(labels))).toEqual(['{n="a"}']);
    expect(await all(lane)).toEqual([['{n="b"} 3'], ['{n="c"} 4']]);
    lane.close();
    expect(budget.usedBytes).toBe(0);
  });

  it('that are not in order are refused as they come, and sorted and joined when all are there', async () => {
    const frames = framesOf(B, A, columns({ n: 'b', replica: 'y' }, 5));
    await expect(all(laneOver(pieces(frames)).lane)).rejects.toThrow(UnsortedError);
    expect(await all(laneOver(pieces(frames), true).lane)).toEqual([
      ['{n="a"} 1,2', '{n="b"} 3,5'],
    ]);
  });

  it.each([
    ['breaks off', () => new ExchangeError('cut', { isSent: true, isTimeout: false })],
    ['is cut, since the member is down', () => new CanceledError('request canceled')],
    ['is no answer', () => new DecodeError('bad', 0)],
    ['is cut off since the member was found to be down', () => new CanceledError()],
  ])('are a fault of the member when its answer %s', async (_, fault) => {
    await expect(all(laneOver(pieces(framesOf(A), fault)).lane)).rejects.toThrow(MemberReadError);
    const cut = framesOf(A).map((frame) => frame.subarray(0, frame.length - 1));
    await expect(all(laneOver(pieces(cut)).lane)).rejects.toThrow(MemberReadError);
  });
});
