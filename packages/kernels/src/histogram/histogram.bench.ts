/**
 * Speed of the histogram codec, in µs of processor time a histogram. Run: `npx tsx --conditions=@pollux/source` with this file.
 * A request latency histogram of 30 buckets at a 15 s interval, in chunks as the head cuts them.
 */
import { decodeHistograms } from './histogram-decode.ts';
import { HistogramWriter } from './histogram-writer.ts';

const BUCKETS = 30;
const SAMPLES = 120;
const ROUNDS = 300;

for (const isInteger of [true, false]) {
  const unit = isInteger ? 1 : 0.37;
  const rows = Array.from({ length: SAMPLES }, (_, i) => {
    const buckets = Array.from(
      { length: BUCKETS },
      (_unused, k) => Math.floor((i + 1) * (40 - Math.abs(k - 12) + ((i * k) % 3))) * unit,
    );
    const count = buckets.reduce((sum, bucket) => sum + bucket, 0);
    return Float64Array.of(count, 0, count * 0.123, ...buckets);
  });
  const layout = {
    schema: 3,
    zeroThreshold: 2 ** -128,
    positiveSpans: [{ offset: -10, length: BUCKETS }],
    negativeSpans: [],
    customValues: null,
  };
  const encode = (): { readonly bytes: Uint8Array; readonly encoding: number }[] => {
    const writer = new HistogramWriter(false);
    const chunks: { readonly bytes: Uint8Array; readonly encoding: number }[] = [];
    for (const [i, values] of rows.entries()) {
      const isCut = (writer.open?.byteLength ?? 0) > 1024 && (writer.open?.count ?? 0) >= 10;
      const done = writer.append(
        {
          timestampMs: 1_700_000_000_000 + i * 15_000,
          startTimestampMs: 0,
          isInteger,
          hint: 'unknown',
          layout,
          values,
          start: 0,
        },
        isCut,
      );
      const whole = done ?? (i === SAMPLES - 1 ? writer.open : null);
      if (whole !== null) {
        chunks.push({ bytes: whole.bytes.slice(0, whole.byteLength), encoding: whole.encoding });
      }
    }
    return chunks;
  };
  const chunks = encode();
  const decode = (): void => {
    for (const { bytes, encoding } of chunks) decodeHistograms(bytes, 0, bytes.length, encoding);
  };
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  process.stdout.write(
    `${isInteger ? 'integer' : 'float'}: append ${time(encode).toFixed(2)} µs, decode ${time(decode).toFixed(2)} µs, ${(bytes / SAMPLES).toFixed(1)} B a histogram\n`,
  );
}

function time(run: () => unknown): number {
  for (let i = 0; i < ROUNDS / 5; i++) run();
  const started = process.cpuUsage();
  for (let i = 0; i < ROUNDS; i++) run();
  return process.cpuUsage(started).user / (ROUNDS * SAMPLES);
}
