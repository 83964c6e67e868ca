import type { QueryStats } from '../result.ts';

/** The `stats` of an answer and of the query log, as Prometheus writes them; times in seconds. */
export function statsJson(stats: QueryStats): unknown {
  const evalTime = stats.evalMs / 1000;
  const queueTime = stats.queueMs / 1000;
  const prepareTime = stats.prepareMs / 1000;
  return {
    timings: {
      evalTotalTime: evalTime + prepareTime,
      // Sorting is a part of evaluation here.
      resultSortTime: 0,
      queryPreparationTime: prepareTime,
      innerEvalTime: evalTime,
      execQueueTime: queueTime,
      execTotalTime: evalTime + prepareTime + queueTime,
    },
    samples: {
      totalQueryableSamples: stats.totalQueryableSamples,
      peakSamples: stats.peakSamples,
    },
  };
}
