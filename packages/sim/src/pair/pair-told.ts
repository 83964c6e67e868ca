import type { Absence } from './absence.ts';
import type { Message, PairAlerts } from './pair-alerts.ts';
import { INTERVAL_MS } from './pair-plan.ts';

/** A time in which the rule of one target fires, by the history of one replica. */
export type Firing = {
  readonly replica: number;
  readonly instance: string;
  readonly fromMs: number;
  readonly toMs: number;
};

/** All that bears on what had to be told; times are the world's. */
export type AlertStory = {
  readonly alerts: PairAlerts;
  readonly messages: readonly Message[];
  /** By the twins, which never fail. */
  readonly firing: readonly Firing[];
  /** Of each replica, when it was not there or did not reach the target. */
  readonly absences: (replica: number, instance: string) => readonly Absence[];
  readonly beganMs: number;
  readonly endMs: number;
};

/** Evaluation, group wait and the second member's turn, twice. */
const TELL_MS = 40_000;
/** An alert waits for 20 s before it fires, and a server that began anew restores what it can. */
const WATCHED_MS = 60_000;
/** News of the cluster go round within this time. */
const GOSSIP_MS = 5_000;
/** A member that begins anew settles, and exchanges all that it knows. */
const SETTLE_MS = 60_000;
/** Behind its confirmation a silence reaches the other member. */
const SILENCE_MS = GOSSIP_MS;

/** What breaks I4: news that nobody told, news told twice, and news that somebody had silenced. */
export function toldWrongly(story: AlertStory): readonly string[] {
  return [...tooFew(story), ...tooMany(story), ...silenced(story)];
}

function tooFew(story: AlertStory): string[] {
  const { firing, messages, alerts, endMs } = story;
  const found: string[] = [];
  for (const { replica, instance, fromMs, toMs } of firing) {
    if (toMs - fromMs < TELL_MS + INTERVAL_MS || fromMs + TELL_MS > endMs) continue;
    const span = { fromMs: fromMs - WATCHED_MS, toMs: fromMs + TELL_MS };
    if (!isThere(story.absences(replica, instance), span) || fromMs - story.beganMs < WATCHED_MS)
      continue;
    if (!hasMember(alerts, { ...span, fromMs: fromMs - SETTLE_MS })) continue;
    if (isSilenced(alerts, instance, span.toMs)) continue;
    // Another server that sees the target no more says that all is well.
    const others = firing.filter((one) => one.instance === instance && one.replica !== replica);
    const isCalm = others.every((one) => isThere(story.absences(one.replica, instance), span));
    const last = messages.findLast((one) => one.instance === instance && one.atMs <= span.toMs);
    const isTold = messages.some(
      (one) =>
        one.instance === instance &&
        one.status === 'firing' &&
        one.atMs <= span.toMs &&
        one.atMs >= fromMs - TELL_MS,
    );
    if (isTold || (isCalm && last?.status === 'firing')) continue;
    found.push(`too few: nobody told that ${instance} fires from ${fromMs} to ${toMs}`);
  }
  return found;
}

/** The same news of a group twice, though no member died and nothing else was told in between. */
function tooMany({ messages, alerts }: AlertStory): string[] {
  const found: string[] = [];
  const last = new Map<string, Message>();
  for (const message of messages) {
    const before = last.get(message.instance);
    last.set(message.instance, message);
    if (before === undefined || before.status !== message.status) continue;
    const span = { fromMs: before.atMs - SETTLE_MS, toMs: message.atMs };
    if (!hasAllMembers(alerts, span)) continue;
    found.push(
      `too many: ${message.instance} ${message.status} told at ${before.atMs} and ${message.atMs}`,
    );
  }
  return found;
}

function silenced({ messages, alerts }: AlertStory): string[] {
  return messages.flatMap(({ instance, status, atMs }) =>
    isSilenced(alerts, instance, atMs - SILENCE_MS)
      ? [`silenced, but told: ${instance} ${status} at ${atMs}`]
      : [],
  );
}

type Stretch = { readonly fromMs: number; readonly toMs: number };

function isThere(absences: readonly Absence[], { fromMs, toMs }: Stretch): boolean {
  return absences.every((one) => one.fromMs > toMs || (one.toMs ?? Number.MAX_VALUE) < fromMs);
}

function hasMember({ down }: PairAlerts, span: Stretch): boolean {
  return [...down.values()].some((absences) => isThere(absences, span));
}

function hasAllMembers({ down }: PairAlerts, span: Stretch): boolean {
  return [...down.values()].every((absences) => isThere(absences, span));
}

function isSilenced({ silences }: PairAlerts, instance: string, atMs: number): boolean {
  return silences.some(
    (one) => one.instance === instance && one.confirmedMs !== null && one.confirmedMs <= atMs,
  );
}
