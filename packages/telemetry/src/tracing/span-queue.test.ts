import { type Span as OtelSpan, TraceFlags } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { VirtualClock } from '@pollux/base';
import { beforeEach, describe, expect, it } from 'vitest';
import { Log } from '../log.ts';
import { Registry } from '../registry.ts';
import { SpanQueue } from './span-queue.ts';

const span = (flags = TraceFlags.SAMPLED): ReadableSpan => {
  const shown: Pick<OtelSpan, 'spanContext'> = {
    spanContext: () => ({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: flags }),
  };
  return shown as ReadableSpan;
};

let clock: VirtualClock;
let registry: Registry;
let queue: SpanQueue;
/** Sizes of the batches, and what ends each. */
let batches: { readonly size: number; readonly end: (isSent: boolean) => void }[];

beforeEach(() => {
  clock = new VirtualClock(0);
  registry = new Registry();
  batches = [];
  const exporter: SpanExporter = {
    export: (spans, done) => {
      batches.push({
        size: spans.length,
        end: (isSent) => done(isSent ? { code: 0 } : { code: 1, error: new Error('no') }),
      });
    },
    shutdown: async () => {},
  };
  const spans = registry.counters('spans_total', 'Spans.', ['result']);
  queue = new SpanQueue({ exporter, clock, log: Log.silent(), spans });
});

const count = (result: string): number =>
  registry.counters('spans_total', 'Spans.', ['result']).with(result).value;
const add = (spans: number): void => {
  for (let i = 0; i < spans; i++) queue.onEnd(span());
};
const ended = async (isSent: boolean): Promise<void> => {
  batches.at(-1)?.end(isSent);
  await clock.advance(0);
};

describe('the queue of spans', () => {
  it('sends after five seconds, or once a batch is full, one batch at a time', async () => {
    add(3);
    queue.onEnd(span(TraceFlags.NONE));
    await clock.advance(4_999);
    expect(batches).toEqual([]);
    await clock.advance(1);
    expect(batches.map(({ size }) => size)).toEqual([3]);
    add(600);
    expect(batches).toHaveLength(1);
    await ended(true);
    expect(batches.map(({ size }) => size)).toEqual([3, 512]);
    await ended(true);
    await clock.advance(5_000);
    expect(batches.map(({ size }) => size)).toEqual([3, 512, 88]);
    await ended(false);
    expect([count('sent'), count('failed'), count('dropped')]).toEqual([515, 88, 0]);
  });

  it('drops what is more than may wait while an export hangs, and counts it', async () => {
    add(512 + 2_048 + 100);
    expect(batches).toHaveLength(1);
    expect(count('dropped')).toBe(100);
    await ended(true);
    const flushed = queue.forceFlush();
    for (let i = 0; i < 4; i++) await ended(true);
    await flushed;
    expect(count('sent')).toBe(512 + 2_048);
  });

  it('counts what is given up at the end', async () => {
    add(10);
    queue.drop();
    expect(count('dropped')).toBe(10);
    await clock.advance(10_000);
    expect(batches).toEqual([]);
  });
});
