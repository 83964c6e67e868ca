import { readScript, type Story, type StoryAlert, writtenAlert } from './story.ts';

/** The label that leads alerts to the route of their story. */
export const STORY_LABEL = 'story';

/** One message at a hook; times in seconds since the story began. */
export type Told = {
  readonly hook: string;
  readonly atS: number;
  readonly alerts: readonly StoryAlert[];
};

type WebhookBody = {
  readonly alerts: readonly {
    readonly status: 'firing' | 'resolved';
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly startsAt: string;
    readonly endsAt: string;
  }[];
};

/** A webhook's body, as a story speaks of it. */
export function toldBy(body: string, hook: string, atMs: number, beganMs: number): Told {
  const seconds = (time: string): number => (Date.parse(time) - beganMs) / 1_000;
  const { alerts } = JSON.parse(body) as WebhookBody;
  return {
    hook,
    atS: (atMs - beganMs) / 1_000,
    alerts: alerts.map(({ status, labels, annotations, startsAt, endsAt }) => ({
      labels: withoutStory(labels),
      from: seconds(startsAt),
      to: status === 'resolved' ? seconds(endsAt) : null,
      says: annotations.says ?? null,
    })),
  };
}

export function withoutStory(
  labels: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const { [STORY_LABEL]: _, ...others } = labels;
  return others;
}

/** What of a story came otherwise; empty when all came as it is told. `slackS` is how late things may be. */
export function breaches(story: Story, told: readonly Told[], slackS: number): string[] {
  const { messages, endS } = readScript(story);
  const problems: string[] = [];
  for (const hook of Object.keys(story.hooks)) {
    const wanted = messages.filter((message) => message.hook === hook);
    const got = told
      .filter((message) => message.hook === hook && message.atS <= endS)
      .sort((a, b) => a.atS - b.atS);
    for (const [index, message] of wanted.entries()) {
      const found = got[index];
      const text = `${message.fromS}..${message.toS} ${hook} ${shownAlerts(message.alerts)}`;
      if (found === undefined) {
        problems.push(`${text}: nothing came`);
        continue;
      }
      const isInTime = found.atS >= message.fromS - 0.05 && found.atS <= message.toS + slackS;
      if (isInTime && hasSame(message.alerts, found.alerts, slackS)) continue;
      problems.push(`${text}: came ${shownTold(found)}`);
    }
    let before = got[wanted.length - 1];
    for (const extra of got.slice(wanted.length)) {
      if (!isRepetition(story, before, extra, slackS)) {
        problems.push(`nothing more was due: came ${shownTold(extra)}`);
      }
      before = extra;
    }
  }
  return problems;
}

/** What repeats goes on beyond the end of the time line: the same again, a group interval later, while something fires. */
function isRepetition(
  { route }: Story,
  before: Told | undefined,
  again: Told,
  slackS: number,
): boolean {
  const [, intervalS] = /group_interval: (\d+)s/.exec(route) ?? [];
  if (before === undefined || !/repeat_interval: \d+ms/.test(route)) return false;
  const isDue = again.atS >= before.atS + Number(intervalS ?? Infinity) - slackS;
  const doesFire = before.alerts.some(({ to }) => to === null);
  return isDue && doesFire && hasSame(before.alerts, again.alerts, slackS);
}

function hasSame(
  wanted: readonly StoryAlert[],
  found: readonly StoryAlert[],
  slackS: number,
): boolean {
  if (wanted.length !== found.length) return false;
  return wanted.every((alert) => {
    const same = found.find(({ labels }) => writtenAlert(labels) === writtenAlert(alert.labels));
    if (same === undefined || same.says !== alert.says) return false;
    return isNear(alert.from, same.from, slackS) && isNear(alert.to, same.to, slackS);
  });
}

function isNear(wanted: number | null, found: number | null, slackS: number): boolean {
  if (wanted === null || found === null) return wanted === found;
  return Math.abs(wanted - found) <= slackS;
}

function shownTold({ atS, hook, alerts }: Told): string {
  return `${atS.toFixed(2)} ${hook} ${shownAlerts(alerts)}`;
}

function shownAlerts(alerts: readonly StoryAlert[]): string {
  return alerts
    .map(({ labels, from, to, says }) =>
      [
        writtenAlert(labels),
        `from ${from}`,
        ...(to === null ? [] : [`to ${to}`]),
        ...(says === null ? [] : [`says ${says}`]),
      ].join(' '),
    )
    .join(' + ');
}
