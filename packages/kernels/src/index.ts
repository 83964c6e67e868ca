export {
  intersectPostings,
  mergePostings,
  seekPostings,
  subtractPostings,
  unitePostings,
} from './postings/postings.ts';
export { SNAPPY_MALFORMED, snappyDecode, snappyDecodedBytes } from './snappy/snappy-decode.ts';
export {
  SNAPPY_TABLE_SIZE,
  snappyEncode,
  snappyMaxEncodedBytes,
} from './snappy/snappy-encode.ts';
export {
  createXorAppendState,
  growXorAppendState,
  resetXorAppend,
  XOR_CUT_BYTES,
  XOR_MAX_BYTES,
  XOR_SAMPLE_MAX_BYTES,
  type XorAppendState,
  xorAppend,
  xorByteLength,
} from './xor/xor-append.ts';
export { XOR_MALFORMED, xorCount, xorDecode } from './xor/xor-decode.ts';
