import type { FlagTable } from './flags.ts';

/** Limits of PromQL, the same for every role that evaluates it. */
export const QUERY_FLAGS = {
  'query.lookback-delta': {
    kind: 'duration',
    fallback: '5m',
    help: 'The maximum lookback duration for retrieving metrics during expression evaluations and federation.',
  },
  'query.timeout': {
    kind: 'duration',
    fallback: '2m',
    help: 'Maximum time a query may take before being aborted.',
  },
  'query.max-concurrency': {
    kind: 'integer',
    fallback: 20,
    help: 'Maximum number of queries executed concurrently.',
  },
  'query.workers': {
    kind: 'integer',
    fallback: -1,
    help: 'Threads that evaluate queries and write their answers; 0 evaluates in the main thread, -1 takes one per processor, at most 4.',
  },
  'query.max-samples': {
    kind: 'integer',
    fallback: 50_000_000,
    help: 'Maximum number of samples a single query can load into memory.',
  },
  'query.max-memory': {
    kind: 'integer',
    fallback: 2_147_483_648,
    help: 'Bytes that one query may hold in columns.',
  },
} as const satisfies FlagTable;
