/**
 * Speed of the XOR codec on one core, in ns a sample. Run: `npx tsx --conditions=@pollux/source` with this file.
 * The values are counters and gauges at a 15 s interval with a jitter of some milliseconds.
 */
import { createXorAppendState, resetXorAppend, xorAppend, xorByteLength } from './xor-append.ts';
import { xorDecode } from './xor-decode.ts';
import { createXorEncoder, xorEncode } from './xor-encode.ts';

const SAMPLES = 120;
const ROUNDS = 400;
const CALLS = 50;

const REFERENCE = createXorEncoder(undefined, null);
const CHOSEN = createXorEncoder();

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
  const wholeNs = [REFERENCE, CHOSEN].map((encoder) =>
    time(() => xorEncode(encoder, timestampsMs, words, 0, SAMPLES, bytes, 0)).toFixed(1),
  );
  process.stdout.write(
    `${kind}: append ${encodeNs.toFixed(1)} ns, whole in TypeScript ${wholeNs[0]} ns, as chosen ${wholeNs[1]} ns, decode ${decodeNs.toFixed(1)} ns, ${(xorByteLength(state, 0) / SAMPLES).toFixed(2)} B a sample\n`,
  );
}

/** The best of all rounds, a sample. */
function time(run: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ROUNDS; i++) {
    const startedNs = process.hrtime.bigint();
    for (let call = 0; call < CALLS; call++) run();
    best = Math.min(best, Number(process.hrtime.bigint() - startedNs) / (CALLS * SAMPLES));
  }
  return best;
}
