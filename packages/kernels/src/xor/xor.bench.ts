/**
 * Speed of the XOR codec on one core, in ns a sample. Run: `npx tsx --conditions=@pollux/source` with this file.
 * The values are counters and gauges at a 15 s interval with a jitter of some milliseconds.
 */
import { createXorAppendState, resetXorAppend, xorAppend, xorByteLength } from './xor-append.ts';
import { xorDecode } from './xor-decode.ts';

const SAMPLES = 120;
const ROUNDS = 20_000;

const kinds: Readonly<Record<string, (i: number) => number>> = {
  constant: () => 42,
  counter: (i) => 1_000_000 + i * 137 + ((i * 7919) % 23),
  gauge: (i) => 50 + Math.sin(i / 9) * 13.37,
};

for (const [kind, valueAt] of Object.entries(kinds)) {
  const timestampsMs = Float64Array.from(
    { length: SAMPLES },
    (_, i) => 1_700_000_000_000 + i * 15_000 + ((i * 31) % 5),
  );
  const values = Float64Array.from({ length: SAMPLES }, (_, i) => valueAt(i));
  const words = new Uint32Array(values.buffer);
  const bytes = new Uint8Array(4096);
  const state = createXorAppendState(1);
  const encode = (): void => {
    resetXorAppend(state, 0);
    for (let i = 0; i < SAMPLES; i++) {
      xorAppend(state, 0, bytes, 0, timestampsMs[i]!, words[i * 2]!, words[i * 2 + 1]!);
    }
  };
  const outTimes = new Float64Array(SAMPLES);
  const outWords = new Uint32Array(SAMPLES * 2);
  const decode = (): number => xorDecode(bytes, 0, xorByteLength(state, 0), outTimes, outWords, 0);
  const encodeNs = time(encode);
  const decodeNs = time(decode);
  process.stdout.write(
    `${kind}: append ${encodeNs.toFixed(1)} ns, decode ${decodeNs.toFixed(1)} ns, ${(xorByteLength(state, 0) / SAMPLES).toFixed(2)} B a sample\n`,
  );
}

function time(run: () => unknown): number {
  for (let i = 0; i < ROUNDS / 10; i++) run();
  const startedNs = process.hrtime.bigint();
  for (let i = 0; i < ROUNDS; i++) run();
  return Number(process.hrtime.bigint() - startedNs) / (ROUNDS * SAMPLES);
}
