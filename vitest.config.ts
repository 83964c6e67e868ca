import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * Tests run on sources (the private export condition `@pollux/source`), so no build is needed before them; suites below
 * `test/` start the built program and say so when it is missing or older than its sources.
 */
const conditions = ['@pollux/source'];

/** Suites of work that may be left to workers, run once more with all of it left to them: see POLLUX_TEST_WORKERS. */
const LEFT_TO_INLINE_WORKERS = [
  'packages/tsdb/src/{histograms,recovery}.test.ts',
  'packages/tsdb/src/compaction/compact-*.test.ts',
  'packages/tsdb/src/retention/*.test.ts',
  'packages/tsdb/src/wal/damage.prop.test.ts',
];
/** A thread takes half a second to start from sources, so suites that start hundreds are left out. */
const LEFT_TO_THREADS = [
  'packages/tsdb/src/recovery.test.ts',
  'packages/tsdb/src/compaction/compact-histograms.test.ts',
  'packages/tsdb/src/retention/*.test.ts',
];

/** What these change or look at is their whole process's: a module in place of another, a library that may be made ready once, flags and heap of the engine. */
const WHOLE_PROCESS = [
  'apps/pollux/src/small-heap.test.ts',
  'packages/alertmanager/src/event-recorder/kafka-output.test.ts',
  'packages/base/src/node/collector.test.ts',
  'packages/roles/src/server/promqltest-reference.test.ts',
];

/**
 * Suites of processes that wait most of their time (for time-outs of the peers, for gossip, for a member that is away) and keep a core busy for less
 * than a third of it: two of them at once disturb neither, and take half as long.
 */
const WAITING = [
  'test/peers/adapter-real-peers.test.ts',
  'test/peers/gossip-tls.test.ts',
  'test/peers/gossip-real-alertmanager.test.ts',
  'test/peers/mixed-cluster.test.ts',
  'test/peers/gateway-splice.test.ts',
  'test/peers/gateway-balancing-nginx.test.ts',
  'test/peers/gateway-shards.test.ts',
  'test/peers/gateway-victoria-metrics.test.ts',
  'test/peers/pair-behind-nginx.test.ts',
  'test/peers/protobuf-scrapes-real-prometheus.test.ts',
  'test/peers/rolling-replacement.test.ts',
  'test/peers/store-prometheus-api.test.ts',
  'test/system/alertmanager-tracing.test.ts',
  'test/system/gateway-long-term.test.ts',
  'test/system/healing.test.ts',
  'test/system/receivers-in-trouble.test.ts',
  'test/system/server-tracing.test.ts',
  'test/system/two-gateways.test.ts',
];

/** Suites that ask one program after the other: they keep one of two cores busy, and hold no answer to a time. */
const ONE_AFTER_ANOTHER = [
  'test/peers/amtool-commands.test.ts',
  'test/peers/cli-against-originals.test.ts',
];

const TWO_AT_A_TIME = [...WAITING, ...ONE_AFTER_ANOTHER];

/** Suites on virtual time share the machine; behind them those that run two at a time, and last those of processes and real peers that have it for themselves. */
const unitWorkers = { maxWorkers: Math.max(2, availableParallelism() - 1) };
const behindUnits = { sequence: { groupOrder: 1 } };
const behindTwoAtATime = { sequence: { groupOrder: 2 } };
const processTimeouts = { testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    pool: 'forks',
    testTimeout: 20_000,
    setupFiles: ['test/property-seed.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          ...unitWorkers,
          // Rooms have no state of their own beside what tests make, so that suites share processes, modules and warm code.
          isolate: false,
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tools/**/*.test.ts'],
          exclude: WHOLE_PROCESS,
        },
      },
      {
        extends: true,
        test: { name: 'whole-process', ...unitWorkers, include: WHOLE_PROCESS },
      },
      {
        extends: true,
        test: {
          name: 'inline-workers',
          ...unitWorkers,
          include: LEFT_TO_INLINE_WORKERS,
          env: { POLLUX_TEST_WORKERS: 'inline' },
        },
      },
      {
        extends: true,
        test: {
          name: 'threads',
          ...unitWorkers,
          include: LEFT_TO_THREADS,
          env: { POLLUX_TEST_WORKERS: 'threads' },
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'two-at-a-time',
          ...behindUnits,
          ...processTimeouts,
          maxWorkers: 2,
          include: TWO_AT_A_TIME,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          ...behindTwoAtATime,
          ...processTimeouts,
          maxWorkers: 1,
          include: ['test/**/*.test.ts'],
          exclude: TWO_AT_A_TIME,
        },
      },
    ],
  },
});
