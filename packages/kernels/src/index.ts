export { crc32c } from './crc/crc32c.ts';
export {
  denseCount,
  denseDecode,
  denseDecodeValues,
  denseDecodeWhole,
} from './dense/dense-decode.ts';
export {
  createDenseEncoder,
  type DenseEncoder,
  denseEncode,
  denseEncodeValues,
  denseEncodeWhole,
  denseMaxBytes,
} from './dense/dense-encode.ts';
export { DENSE_MALFORMED, DENSE_MAX_SAMPLES, DENSE_UNFIT } from './dense/dense-format.ts';
export { floatText } from './float-text/float-text.ts';
export { SAMPLES_TEXT_BYTES, sampleText } from './float-text/sample-text.ts';
export { type HashSeed, hashKey } from './hash/key-hash.ts';
export { bucketIndexes, spansOfIndexes } from './histogram/bucket-layout.ts';
export {
  decodeHistograms,
  HISTOGRAM_ENCODING,
  type HistogramColumns,
  histogramCount,
  isStaleSum,
} from './histogram/histogram-decode.ts';
export {
  HistogramChunk,
  MAX_INTEGER_COUNT,
} from './histogram/histogram-encode.ts';
export {
  type HistogramSample,
  HistogramWriter,
  histogramValueCount,
} from './histogram/histogram-writer.ts';
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
  createWriteKernel,
  WRITE_COMPRESSED_BYTES,
  WRITE_DECODED_BYTES,
  type WriteKernel,
} from './write-requests/write-kernel.ts';
export { firstNotBefore } from './xor/first-not-before.ts';
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
export {
  XOR_MALFORMED,
  type XorPart,
  xorCount,
  xorDecode,
  xorDecodePart,
} from './xor/xor-decode.ts';
export {
  createXorEncoder,
  XOR_MOST_CUT_BYTES,
  type XorEncoder,
  xorEncode,
} from './xor/xor-encode.ts';
export {
  createXor2AppendState,
  growXor2AppendState,
  XOR2_SAMPLE_MAX_BYTES,
  type Xor2AppendState,
  xor2Append,
} from './xor/xor2-append.ts';
export { xor2Decode } from './xor/xor2-decode.ts';
export { Xor2Chunk } from './xor/xor2-encode.ts';
