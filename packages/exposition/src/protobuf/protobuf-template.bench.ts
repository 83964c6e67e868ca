import { encodeFamilies } from '@pollux/testkit';
import { bench, describe } from 'vitest';
import { type HistogramOptions, ProtobufTemplate } from '../index.ts';

/** As scrape-template.bench.ts has them: 100 families of 50 samples, every value changed from scrape to scrape. */
function counters(round: number): Uint8Array {
  return encodeFamilies(
    Array.from({ length: 100 }, (_, family) => ({
      name: `node_metric_${family}_total`,
      help: 'Seconds the CPUs spent in each mode.',
      type: 'COUNTER',
      metric: Array.from({ length: 50 }, (_, i) => ({
        label: [
          { name: 'cpu', value: `${i}` },
          { name: 'mode', value: 'iowait' },
          { name: 'device', value: `nvme${i % 4}n1` },
        ],
        counter: { value: family * 1_000 + i * 7.25 + round * 0.01 },
      })),
    })),
  );
}

/** 500 native histograms of 40 buckets. */
function histograms(round: number): Uint8Array {
  return encodeFamilies([
    {
      name: 'rpc_seconds',
      type: 'HISTOGRAM',
      metric: Array.from({ length: 500 }, (_, i) => ({
        label: [{ name: 'handler', value: `/api/v1/handler/${i}` }],
        histogram: {
          sampleCount: 40 * (round + 1),
          sampleSum: round,
          schema: 3,
          positiveSpan: [{ offset: -5, length: 40 }],
          positiveDelta: Array.from({ length: 40 }, (_, bucket) => (bucket === 0 ? round + 1 : 0)),
        },
      })),
    },
  ]);
}

const OPTIONS: HistogramOptions = { native: true, alwaysClassic: false, toCustomBuckets: false };
const ROUNDS = 8;
const samples = Array.from({ length: ROUNDS }, (_, round) => counters(round));
const natives = Array.from({ length: ROUNDS }, (_, round) => histograms(round));

describe('protobuf', () => {
  const warm = new ProtobufTemplate(OPTIONS);
  const warmNative = new ProtobufTemplate(OPTIONS);
  let next = 0;
  bench('5,000 counters: labels recognised by position and bytes', () => {
    warm.parse(samples[next++ % ROUNDS]!);
  });

  bench('5,000 counters: what a first scrape costs', () => {
    new ProtobufTemplate(OPTIONS).parse(samples[next++ % ROUNDS]!);
  });

  bench('500 native histograms of 40 buckets', () => {
    warmNative.parse(natives[next++ % ROUNDS]!);
  });
});
