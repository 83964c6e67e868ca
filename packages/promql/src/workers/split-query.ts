import type { Clock } from '@pollux/base';
import { QueryError } from '../errors.ts';
import type { QueryTimes } from '../parser/duration-expr.ts';
import type { QueryStats, StepStats } from '../result.ts';
import type { QueryJob } from './query.protocol.ts';
import { SelectMeeting } from './select-meeting.ts';
import type {
  LineQuery,
  QueryDelivery,
  RunningQuery,
  WorkerAnswer,
  WorkerFailure,
  WorkerLine,
} from './worker-line.ts';

export type SplitInit = {
  readonly job: QueryJob;
  readonly delivery: QueryDelivery;
  /** One for each line, oldest first. */
  readonly shares: readonly QueryTimes[];
  readonly lines: readonly WorkerLine[];
  readonly clock: Clock;
  /** Begins the query anew in one worker. */
  readonly runWhole: (job: QueryJob) => RunningQuery;
  /** It was not as the shares would have it, and so will it be the next time. */
  readonly onWhole: () => void;
};

/**
 * A range query whose steps several workers evaluate: each a share of them, the first joins all and writes the answer. It is what
 * one worker would answer. Where that is not sure the whole is evaluated by one: when a share fails (one worker might have
 * failed in another way), when the shares' remarks are not the same (in which order they came is not known), and when the shares
 * together held more samples than a query may. Each share has its part of the memory that the query may have.
 */
export class SplitQuery implements RunningQuery {
  readonly answer: Promise<WorkerAnswer>;
  readonly #init: SplitInit;
  readonly #startedMs: number;
  readonly #stop = new AbortController();
  readonly #queries: readonly LineQuery[];
  #whole: RunningQuery | null = null;

  constructor(init: SplitInit) {
    this.#init = init;
    this.#startedMs = init.clock.monotonic();
    const { job, delivery, shares, lines } = init;
    const meeting = new SelectMeeting(shares.length);
    this.#queries = shares.map((times, index) =>
      lines[index]!.start(
        {
          ...job,
          times,
          maxMemoryBytes: job.maxMemoryBytes / shares.length,
          share: { index, count: shares.length },
          form: index === 0 ? job.form : { kind: 'share' },
        },
        { ...delivery, signal: this.#stop.signal, meeting: { all: meeting, share: index } },
      ),
    );
    const abort = (): void => this.#stop.abort(delivery.signal.reason);
    delivery.signal.addEventListener('abort', abort, { once: true });
    if (delivery.signal.aborted) abort();
    this.answer = this.#joined().finally(() => delivery.signal.removeEventListener('abort', abort));
  }

  get samples(): number {
    if (this.#whole !== null) return this.#whole.samples;
    return this.#queries.reduce((sum, query) => sum + query.samples, 0);
  }

  async #joined(): Promise<WorkerAnswer> {
    const [first, ...others] = this.#queries;
    try {
      const answers = await Promise.all([
        first!.answer,
        ...others.map(async (query, i) => {
          const answer = await query.answer;
          first!.give(i + 1, answer.body);
          return answer;
        }),
      ]);
      const stats = joinedStats(answers.map((answer) => answer.stats));
      const isSure = answers.every(({ annotations }) =>
        isSame(annotations, answers[0].annotations),
      );
      if (isSure && stats.peakSamples <= this.#init.job.maxSamples) return { ...answers[0], stats };
      const { body } = answers[0];
      if (body.kind === 'parts') body.parts.drop();
    } catch (failure) {
      this.#stop.abort(new QueryError('canceled', 'another share of the query failed'));
      if (!mayDifferInOne(failure as WorkerFailure)) throw failure;
    }
    return this.#evaluateWhole();
  }

  #evaluateWhole(): Promise<WorkerAnswer> {
    const { job, clock, runWhole, onWhole } = this.#init;
    onWhole();
    const timeoutMs = Math.max(0, job.timeoutMs - (clock.monotonic() - this.#startedMs));
    this.#whole = runWhole({ ...job, timeoutMs });
    return this.#whole.answer;
  }
}

/** False for what ends a query however it is evaluated: a lost worker, an abort, the time-out. */
function mayDifferInOne({ error, stats }: WorkerFailure): boolean {
  if (stats === null) return false;
  return !(error instanceof QueryError) || (error.kind !== 'timeout' && error.kind !== 'canceled');
}

function isSame(a: WorkerAnswer['annotations'], b: WorkerAnswer['annotations']): boolean {
  return (
    a.length === b.length &&
    a.every(({ kind, text }, i) => kind === b[i]!.kind && text === b[i]!.text)
  );
}

/** Times are those of the slowest share; the peak is what all held together, at most. */
function joinedStats(shares: readonly QueryStats[]): QueryStats {
  const sum = (figure: (stats: QueryStats) => number): number =>
    shares.reduce((total, stats) => total + figure(stats), 0);
  return {
    ...shares[0]!,
    totalQueryableSamples: sum((stats) => stats.totalQueryableSamples),
    samplesRead: sum((stats) => stats.samplesRead),
    peakSamples: sum((stats) => stats.peakSamples),
    perStep: joinedSteps(shares.map(({ perStep }) => perStep)),
  };
}

function joinedSteps(shares: readonly (StepStats | null)[]): StepStats | null {
  const known = shares.filter((share) => share !== null);
  if (known.length < shares.length) return null;
  const column = (of: (share: StepStats) => Float64Array): Float64Array =>
    Float64Array.from(known.flatMap((share) => [...of(share)]));
  return {
    startMs: known[0]!.startMs,
    stepMs: known[0]!.stepMs,
    queryable: column(({ queryable }) => queryable),
    read: column(({ read }) => read),
  };
}
