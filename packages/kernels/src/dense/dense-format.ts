/** Constants of the dense chunk; the picture is in `dense-chunk.md`. */

/** Samples that one chunk or column may hold; buffers of encoder and decoder are made for so many. */
export const DENSE_MAX_SAMPLES = 8192;
/** What a decoder gives for bytes that are no dense chunk or column. */
export const DENSE_MALFORMED = -1;
/** What an encoder gives for input that the format cannot hold. */
export const DENSE_UNFIT = -1;

/** Whole numbers of a column are at most this; their differences' differences then stay exact in doubles. */
export const WHOLE_LIMIT = 2 ** 50;
/** No sum that a decoder forms may pass this. */
export const EXACT_LIMIT = 2 ** 53;

/** Bits of a whole column's head. */
export const ORDER_MASK = 0x03;
export const HAS_FACTOR = 0x04;
export const HAS_PATCHES = 0x08;
export const CODING_MASK = 0x30;
export const CODING_EQUAL = 0x00;
export const CODING_PACKED = 0x10;
export const CODING_RANGED = 0x20;

/** Kinds of a value column. */
export const VALUES_CONSTANT = 0;
export const VALUES_DECIMAL = 1;
export const VALUES_WORDS = 2;
export const VALUES_RUNS = 3;
export const VALUES_INT64 = 4;
export const VALUES_NEAR = 5;
/** Set beside VALUES_DECIMAL and VALUES_NEAR when some values are stored apart. */
export const HAS_EXCEPTIONS = 0x80;

export const MAX_EXPONENT = 18;
/** 10^0 … 10^18: all exact doubles, so a division by one is rounded once. */
export const POWERS_OF_TEN = Float64Array.from({ length: MAX_EXPONENT + 1 }, (_, e) =>
  Number(`1e${e}`),
);

/** The frequencies of range coding add up to 2^RANGE_BITS. */
export const RANGE_BITS = 11;
export const RANGE_SLOTS = 1 << RANGE_BITS;
/** Range coder states lie in [2^16, 2^32); both begin at the lower end. */
export const RANGE_LOW = 0x10000;
export const MAX_SYMBOLS = 256;
