import type { Delivered } from '../cluster/hook.ts';

/** Times are `performance.now()` of the judging process. */
export type Kill = { readonly atMs: number; readonly member: string };

export type ClusterRun = {
  /** Group → when its alert was posted to all members. */
  readonly posted: ReadonlyMap<string, number>;
  readonly killed: readonly Kill[];
  readonly delivered: readonly Delivered[];
  readonly groupWaitMs: number;
};

export type Verdict = { readonly isKept: boolean; readonly lines: readonly string[] };

/** What survivors may take to notice a death and send: two probe intervals, a failed probe, suspicion, and some. */
const TAKE_OVER_MS = 8_000;
/** A notification that no kill disturbs; generous, since the machine may be busy. */
const PROMPT_MS = 2_000;
/** From the receiver's answer until the entry of the log has left the member. */
const NOT_YET_TOLD_MS = 250;

/**
 * Holds the deliveries against the model: of each group exactly one, about group_wait after the alert; up to 8 s later when
 * the member that was to send it was killed; and a second one only where the first came from a killed member in its last
 * moment, so that its log entry had not left.
 */
export function judge(run: ClusterRun): Verdict {
  const faults: string[] = [];
  const explained: string[] = [];
  const prompt: number[] = [];
  const takenOver: number[] = [];
  let missing = 0;
  let twice = 0;
  for (const [group, postedMs] of run.posted) {
    const all = run.delivered.filter(({ ids }) => ids.includes(group));
    const [first, ...more] = all;
    if (first === undefined) {
      missing++;
      faults.push(`${group}: never delivered`);
      continue;
    }
    const dueMs = postedMs + run.groupWaitMs;
    // A kill disturbs what was not delivered then, or comes due before the survivors have noticed.
    const kill = run.killed.find(({ atMs }) => first.atMs > atMs && dueMs < atMs + TAKE_OVER_MS);
    const lateMs = first.atMs - (kill === undefined ? dueMs : Math.max(dueMs, kill.atMs));
    if (kill === undefined) prompt.push(lateMs);
    else if (lateMs > PROMPT_MS) takenOver.push(lateMs);
    if (lateMs > (kill === undefined ? PROMPT_MS : TAKE_OVER_MS)) {
      faults.push(`${group}: ${Math.round(lateMs)} ms late${kill ? ' after a kill' : ''}`);
    }
    for (const again of more) {
      twice++;
      const death = run.killed.find(
        ({ atMs, member }) =>
          member === first.from && first.atMs <= atMs && atMs < first.atMs + NOT_YET_TOLD_MS,
      );
      const story = `${group}: again by ${again.from} ${Math.round(again.atMs - first.atMs)} ms after ${first.from}`;
      if (death === undefined || again !== more[0]) faults.push(story);
      else
        explained.push(
          `${story}, which was killed ${(death.atMs - first.atMs).toFixed(1)} ms after its delivery`,
        );
    }
  }
  return {
    isKept: faults.length === 0,
    lines: [
      ...explained.map((line) => `explained  ${line}`),
      ...faults.slice(0, 50).map((line) => `FAULT      ${line}`),
      `${run.posted.size} groups, ${run.killed.length} kills: ${missing} missing, ${twice} again (${explained.length} explained), ${faults.length} faults`,
      `undisturbed: ${quantiles(prompt)}; taken over from a killed member: ${quantiles(takenOver)}`,
    ],
  };
}

/** Lateness behind group_wait. */
function quantiles(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return `${sorted.length}, late by p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} ms`;
}
