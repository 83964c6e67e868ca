import type { AcknowledgementNote, NotifiedAlert } from '../notify/notification.ts';

/**
 * What templates may ask for under names among the annotations. The Go program's maps have an empty text under every name
 * that they lack, so one template does for both programs: `{{ with .Annotations.pollux_acknowledged_by }}…{{ end }}`. A field
 * of its own would be an error there, and a function would keep the file from loading.
 */
const NAMES = {
  by: 'pollux_acknowledged_by',
  note: 'pollux_acknowledged_note',
  until: 'pollux_acknowledged_until',
} as const;

type Pair = readonly [name: string, value: string];

/** Of one alert; nothing when nobody works on it. */
export function acknowledgementOf({ acknowledgedBy }: NotifiedAlert): readonly Pair[] {
  return acknowledgedBy.length === 0 ? [] : pairs(acknowledgedBy);
}

/** Of all alerts that fire (of all, when none does): nothing while somebody is missing. */
export function commonAcknowledgement(alerts: readonly NotifiedAlert[]): readonly Pair[] {
  const firing = alerts.filter(({ status }) => status === 'firing');
  const meant = firing.length === 0 ? alerts : firing;
  const isWhole = meant.every(({ acknowledgedBy }) => acknowledgedBy.length > 0);
  return isWhole && meant.length > 0 ? pairs(meant.flatMap((alert) => alert.acknowledgedBy)) : [];
}

/** Each owner and each note once; the first of the ends that are set. */
function pairs(notes: readonly AcknowledgementNote[]): readonly Pair[] {
  const each = (texts: readonly string[]) => new Set(texts.filter((text) => text !== ''));
  const ends = notes.map(({ untilMs }) => untilMs).filter((untilMs) => untilMs !== 0);
  const end = ends.reduce((first, untilMs) => Math.min(first, untilMs), Number.POSITIVE_INFINITY);
  return [
    [NAMES.by, [...each(notes.map(({ owner }) => owner))].join(', ')],
    [NAMES.note, [...each(notes.map(({ note }) => note))].join('; ')],
    [NAMES.until, end === Number.POSITIVE_INFINITY ? '' : secondsText(end)],
  ];
}

/** RFC 3339, UTC, whole seconds. */
function secondsText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
