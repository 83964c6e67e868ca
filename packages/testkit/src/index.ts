export { type MemorySample, MemorySeries } from './memory-series.ts';
export {
  type PromqltestEngine,
  type PromqltestFailure,
  type PromqltestReport,
  runPromqltest,
  type TestAnswer,
  type TestMatrix,
  type TestResult,
  type TestVector,
} from './promqltest/run.ts';
