import type { Delivered } from '../cluster/hook.ts';
import type { Evidence } from './cluster-evidence.ts';

/** Times are `performance.now()` of the judging process. */
export type Kill = { readonly atMs: number; readonly member: string };

export type ClusterRun = {
  /** Group → when its alert was posted to all members. */
  readonly posted: ReadonlyMap<string, number>;
  readonly killed: readonly Kill[];
  readonly delivered: readonly Delivered[];
  /** From the logs of all members, those of the killed ones up to their deaths among them. */
  readonly evidence: readonly Evidence[];
  readonly groupWaitMs: number;
};

export type Verdict = { readonly isKept: boolean; readonly lines: readonly string[] };

/** What survivors may take to notice a death and send: two probe intervals, a failed probe, suspicion, and some. */
const TAKE_OVER_MS = 8_000;
/** A notification that no kill disturbs; generous, since the machine may be busy. */
const PROMPT_MS = 2_000;
/** Lines carry whole milliseconds. */
const LINE_MS = 1;

/**
 * Holds the deliveries against the model: of each group exactly one, about group_wait after the alert; up to 8 s later when
 * the member that was to send it was killed; and a second one only where the first came from a member that was killed before
 * its log entry had left it. That is read in the logs: no other member had heard of the delivery when the second was made.
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
      const story = `${group}: again by ${again.from} ${Math.round(again.atMs - first.atMs)} ms after ${first.from}`;
      const { isExcused, because } = excuseOf(run, group, first, again);
      if (isExcused && again === more[0]) explained.push(`${story}: ${because}`);
      else faults.push(`${story}: ${because}`);
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

/** Why a member told again what another had told; only from the logs of those concerned. */
function excuseOf(
  { killed, evidence }: ClusterRun,
  group: string,
  first: Delivered,
  again: Delivered,
): { readonly isExcused: boolean; readonly because: string } {
  const death = killed.find(
    ({ atMs, member }) => member === first.from && first.atMs <= atMs && atMs <= again.atMs,
  );
  if (death === undefined) return { isExcused: false, because: `${first.from} was not killed` };
  const ofGroup = evidence.filter((one) => one.group === group);
  const by = ofGroup.find(({ member, what }) => member === again.from && what === 'delivered');
  if (by === undefined) return { isExcused: false, because: `the log of ${again.from} is silent` };
  const heard = ofGroup.find(
    ({ member, what, atMs }) =>
      what === 'heard' && member !== first.from && atMs + LINE_MS < by.atMs,
  );
  if (heard !== undefined) {
    const beforeMs = Math.round(by.atMs - heard.atMs);
    return { isExcused: false, because: `${heard.member} had heard of it ${beforeMs} ms before` };
  }
  const own = ofGroup.some(({ member, what }) => member === first.from && what === 'delivered');
  const leftMs = (death.atMs - first.atMs).toFixed(1);
  return {
    isExcused: true,
    because: `${first.from} was killed ${leftMs} ms after its delivery, which its log ${own ? 'has' : 'has not'}, and no other member's log had heard of it`,
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
