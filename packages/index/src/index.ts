export { createHashKey, type HashKey, hashPair, hashWords } from './hash-bytes.ts';
export { HashIndex } from './hash-index.ts';
export { KeyTable } from './key-table.ts';
export {
  type LabelCondition,
  type LabelIndex,
  matchPostings,
  selectPostings,
} from './label-index.ts';
export { LabelPostings } from './label-postings.ts';
export { MemoryIndex } from './memory-index.ts';
export { NumberMap } from './number-map.ts';
export { enlarge } from './ref-lists.ts';
export { Symbols } from './symbols.ts';
export { U32List } from './u32-list.ts';
