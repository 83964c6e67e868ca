import type { Labels } from '@pollux/model';
import type { Queryable } from '@pollux/storage';
import type { MemorySample } from './memory-series.ts';

/** What a script loads and asks; what is added is there when it is next read. */
export type ScriptStorage = Queryable & {
  /** The last one of a series and time counts. */
  add(labels: Labels, sample: MemorySample): void;
  clear(): void;
};
