/**
 * Size and speed of the dense codec beside XOR on one core. Run: `npx tsx --conditions=@pollux/source` with this file.
 * The families are what hosts export: constants, counters, decimal gauges, sizes in pages, sparse counts.
 */
import {
  createXorAppendState,
  resetXorAppend,
  XOR_MAX_BYTES,
  xorAppend,
  xorByteLength,
} from '../xor/xor-append.ts';
import { xorDecode } from '../xor/xor-decode.ts';
import { denseDecode } from './dense-decode.ts';
import { createDenseEncoder, denseEncode, denseMaxBytes } from './dense-encode.ts';

/** Six hours at 15 s. */
const SAMPLES = 1440;
const XOR_SAMPLES = 120;
const ROUNDS = 4_000;

/** The value after `last`, given a random number in [0, 1) and the place. */
const families: Readonly<Record<string, (last: number, random: number, i: number) => number>> = {
  constant: () => 42,
  counter: (last, random) => last + Math.floor(450 * random),
  decimal: (last, random) => Math.round((last + (random - 0.5) * 1.26) * 100) / 100,
  pages: (last, random) => (random > 0.3 ? last + Math.round((random - 0.65) * 90) * 4096 : last),
  sparse: (last, random) => (random > 0.99 ? last + 1 : last),
  sine: (_last, _random, i) => 50 + Math.sin(i / 9) * 13.37,
};

for (const [family, next] of Object.entries(families)) {
  const values = valuesOf(next);
  const timestampsMs = Float64Array.from({ length: SAMPLES }, (_, i) => 17e11 + i * 15_000);
  const columns = { timestampsMs, values };
  const times = new Float64Array(SAMPLES);
  const words = new Uint32Array(SAMPLES * 2);
  const encoder = createDenseEncoder();
  const bytes = new Uint8Array(denseMaxBytes(SAMPLES));
  let size = 0;
  const encodeNs = time(() => {
    size = denseEncode(encoder, columns, 0, SAMPLES, bytes, 0);
  });
  const decodeNs = time(() => denseDecode(bytes, 0, size, times, words, 0));
  const xor = xorChunks(columns);
  const xorNs = time(() => {
    for (const chunk of xor) xorDecode(chunk, 0, chunk.length - 8, times, words, 0);
  });
  const xorSize = xor.reduce((sum, chunk) => sum + chunk.length - 8, 0);
  process.stdout.write(
    `${family}: encode ${encodeNs.toFixed(1)} ns, decode ${decodeNs.toFixed(2)} ns, ${(size / SAMPLES).toFixed(3)} B a sample; XOR decode ${xorNs.toFixed(1)} ns, ${(xorSize / SAMPLES).toFixed(3)} B\n`,
  );
}

function valuesOf(next: (last: number, random: number, i: number) => number): Float64Array {
  let seed = 20;
  let last = 1000;
  return Float64Array.from({ length: SAMPLES }, (_, i) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    last = next(last, (seed >>> 0) / 4294967296, i);
    return last;
  });
}

function xorChunks(columns: { timestampsMs: Float64Array; values: Float64Array }): Uint8Array[] {
  const words = new Uint32Array(columns.values.buffer);
  const chunks: Uint8Array[] = [];
  const state = createXorAppendState(1);
  const bytes = new Uint8Array(XOR_MAX_BYTES * 2);
  for (let from = 0; from < SAMPLES; from += XOR_SAMPLES) {
    resetXorAppend(state, 0);
    for (let i = from; i < from + XOR_SAMPLES; i++) {
      const at = columns.timestampsMs[i]!;
      xorAppend(state, 0, bytes, 0, at, words[i * 2]!, words[i * 2 + 1]!);
    }
    chunks.push(bytes.slice(0, xorByteLength(state, 0) + 8));
  }
  return chunks;
}

function time(run: () => unknown): number {
  for (let i = 0; i < ROUNDS / 4; i++) run();
  const startedNs = process.hrtime.bigint();
  for (let i = 0; i < ROUNDS; i++) run();
  return Number(process.hrtime.bigint() - startedNs) / (ROUNDS * SAMPLES);
}
