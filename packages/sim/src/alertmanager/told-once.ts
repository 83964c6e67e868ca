import type { HookMessage } from './lone-alertmanager.ts';

/** What the sender of one alert knows: when it said that the alert fires and ends, ms; null while it fires. */
export type AlertLife = { readonly firedMs: number; endedMs: number | null };

/** All lives of all alerts, by `group/name`, oldest first. */
export type Truth = ReadonlyMap<string, readonly AlertLife[]>;

/**
 * What is wrong with the messages of a receiver, as seen by one who knows the alerts: too many (nothing in a message is new),
 * false ones (what never fired or had not ended), too few (at the end the receiver does not know what is so). `lateMs`: how
 * old the news of a message may be.
 */
export function toldWrongly(
  messages: readonly HookMessage[],
  truth: Truth,
  lateMs: number,
): string[] {
  const wrong: string[] = [];
  const open = new Set<string>();
  const told = new Map<string, number>();
  for (const { atMs, group, firing, resolved } of messages) {
    const where = `at ${atMs}: ${group} firing(${firing}) resolved(${resolved})`;
    const lifeOf = (name: string): AlertLife | undefined =>
      truth.get(`${group}/${name}`)?.findLast((life) => life.firedMs <= atMs);
    let isNews = false;
    for (const name of firing) {
      const key = `${group}/${name}`;
      const life = lifeOf(name);
      if (life === undefined) wrong.push(`${where}: ${name} never fired`);
      else if (life.endedMs !== null && life.endedMs < atMs - lateMs) {
        wrong.push(`${where}: ${name} ended long before`);
      }
      if (!open.has(key) || told.get(key) !== life?.firedMs) isNews = true;
      open.add(key);
      told.set(key, life?.firedMs ?? 0);
    }
    for (const name of resolved) {
      const key = `${group}/${name}`;
      const ended = truth.get(key)?.findLast(({ endedMs }) => endedMs !== null && endedMs <= atMs);
      if (ended === undefined) wrong.push(`${where}: ${name} had not ended`);
      // The end of what could not be told while it fired is news as well.
      if (open.delete(key) || (told.get(key) ?? -1) < (ended?.firedMs ?? 0)) isNews = true;
      told.set(key, ended?.firedMs ?? 0);
    }
    if (!isNews) wrong.push(`${where}: nothing new`);
  }
  for (const [key, lives] of truth) {
    const fires = lives.at(-1)?.endedMs === null;
    if (fires !== open.has(key)) {
      wrong.push(
        `at the end ${key} ${fires ? 'fires, which was not told' : 'does not fire, which was not told'}`,
      );
    }
  }
  return wrong;
}

/**
 * Alerts that fired for at least `longMs` and of which nobody was told. One that fires again before its end was told fires on,
 * as far as groups and receivers know.
 */
export function neverTold(
  messages: readonly HookMessage[],
  truth: Truth,
  longMs: number,
): string[] {
  const missing: string[] = [];
  for (const [key, lives] of truth) {
    const ofIt = messages.filter(
      (message) =>
        speaksOf(message.firing, message, key) || speaksOf(message.resolved, message, key),
    );
    for (const { firedMs, endedMs } of lives) {
      if ((endedMs ?? Number.POSITIVE_INFINITY) - firedMs < longMs) continue;
      const before = ofIt.findLast(({ atMs }) => atMs < firedMs);
      const wasOpen = before !== undefined && speaksOf(before.firing, before, key);
      if (!wasOpen && !ofIt.some(({ atMs }) => atMs >= firedMs)) {
        missing.push(`${key} fired at ${firedMs}, which nobody was told of`);
      }
    }
  }
  return missing;
}

function speaksOf(names: readonly string[], { group }: HookMessage, key: string): boolean {
  return names.some((name) => `${group}/${name}` === key);
}
