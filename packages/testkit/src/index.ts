export { countConformance } from './conformance-count.ts';
export { type MemorySample, MemorySeries } from './memory-series.ts';
export type { TestAnswer, TestMatrix, TestResult, TestVector } from './promqltest/result.ts';
export {
  type PromqltestEngine,
  type PromqltestFailure,
  type PromqltestReport,
  runPromqltest,
} from './promqltest/run.ts';
