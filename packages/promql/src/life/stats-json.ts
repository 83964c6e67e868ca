import type { QueryStats, StepStats } from '../result.ts';

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
      ...(stats.perStep === null
        ? {}
        : { totalQueryableSamplesPerStep: points(stats.perStep, stats.perStep.queryable) }),
      totalQueryableSamples: stats.totalQueryableSamples,
      ...(stats.perStep === null
        ? {}
        : { samplesReadPerStep: points(stats.perStep, stats.perStep.read) }),
      samplesRead: stats.samplesRead,
      peakSamples: stats.peakSamples,
    },
  };
}

function points({ startMs, stepMs }: StepStats, counts: Float64Array): [number, number][] {
  return Array.from(counts, (count, i) => [(startMs + i * stepMs) / 1000, count]);
}
