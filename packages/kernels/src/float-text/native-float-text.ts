import { CHOSEN_KERNELS } from '../native/chosen-kernels.ts';
import type { NativeKernels } from '../native/native-kernels.ts';

/** Texts of floats in WebAssembly, with the memory that they come in: scratch of one synchronous call. */
export type NativeFloatText = {
  readonly text: Uint8Array;
  /** Writes the text of a finite value other than 0; its length, or 0 when it takes an exponent. */
  write(value: number): number;
  /** For {@link samples}: {@link MOST_SAMPLES} at most, in and out. */
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly sampleText: Uint8Array;
  /**
   * Writes the first `count` of `times` and `values` as `[seconds,"value"],` up to one whose value takes an exponent or is no
   * number; gives `samples << 16 | bytes`. The first is the `first`-th of its series: texts of times are kept by place.
   */
  samples(count: number, first: number): number;
};

const LEAST_POWER = -324;
const MOST_POWER = 292;
const TEXT_BYTES = 32;
/** Of one sample: brackets, quotes and commas, a time and a value. */
export const SAMPLE_TEXT_BYTES = 60;
/** Samples that are written at once. */
export const MOST_SAMPLES = 256;

export function createNativeFloatText(native: NativeKernels): NativeFloatText {
  const { buffer } = native.memory;
  const powers = new BigUint64Array(buffer, native.powersAt(), 2 * (MOST_POWER - LEAST_POWER + 1));
  // Most programs never write a float so: the table is filled by the first that does.
  const prepare = (): void => {
    if (powers[1] === 0n) fillPowers(powers);
  };
  return {
    text: new Uint8Array(buffer, native.floatTextAt(), TEXT_BYTES),
    write: (value) => {
      prepare();
      return native.floatToText(value);
    },
    times: new Float64Array(buffer, native.numbersAt(), MOST_SAMPLES),
    values: new Float64Array(buffer, native.wordsAt(), MOST_SAMPLES),
    sampleText: new Uint8Array(buffer, native.inputAt(), MOST_SAMPLES * SAMPLE_TEXT_BYTES),
    samples: (count, first) => {
      prepare();
      return native.samplesToText(count, first);
    },
  };
}

/** Powers of ten in 128 bits, the first of them set, rounded up: low half, then high half. */
function fillPowers(powers: BigUint64Array): void {
  for (let power = LEAST_POWER; power <= MOST_POWER; power++) {
    const scaled = power < 0 ? inverse(10n ** BigInt(-power)) : rounded(10n ** BigInt(power));
    const at = 2 * (power - LEAST_POWER);
    powers[at] = scaled & 0xffffffffffffffffn;
    powers[at + 1] = scaled >> 64n;
  }
}

function rounded(value: bigint): bigint {
  const surplus = bitsOf(value) - 128n;
  if (surplus <= 0n) return value << -surplus;
  return (value + (1n << surplus) - 1n) >> surplus;
}

/** 1 / value; value is no power of two. */
function inverse(value: bigint): bigint {
  return (1n << (bitsOf(value) + 127n)) / value + 1n;
}

function bitsOf(value: bigint): bigint {
  return BigInt(value.toString(2).length);
}

export const CHOSEN_FLOAT_TEXT: NativeFloatText | null =
  CHOSEN_KERNELS === null ? null : createNativeFloatText(CHOSEN_KERNELS);
