export { createHashKey, type HashKey, hashBytes, hashWords } from './hash-bytes.ts';
export { HashIndex } from './hash-index.ts';
export { KeyTable } from './key-table.ts';
export { type LabelIndex, matchPostings } from './label-index.ts';
export { LabelPostings } from './label-postings.ts';
export { NumberMap } from './number-map.ts';
export { enlarge, RefLists } from './ref-lists.ts';
export { Symbols } from './symbols.ts';
