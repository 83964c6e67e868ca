import { list, nonEmptyString, object, optional } from '@pollux/config';
import type { Notification } from '../../notification.ts';
import { flag } from '../fields.ts';

const names = () => optional(list(nonEmptyString), []);

/** Whom to mention: fixed, or named by labels or annotations of the firing alerts (several names apart by commas). */
export const mentionFields = {
  mobiles: names(),
  user_ids: names(),
  all: flag(),
  mobile_labels: names(),
  user_id_labels: names(),
} as const;

export const mention = object(mentionFields);
export type MentionSettings = ReturnType<typeof mention>;

export const NO_MENTION: MentionSettings = {
  mobiles: [],
  user_ids: [],
  all: false,
  mobile_labels: [],
  user_id_labels: [],
};

export type Mentions = {
  readonly mobiles: readonly string[];
  readonly userIds: readonly string[];
  readonly all: boolean;
};

const MAX_MENTIONS = 100;

export function mentionsOf(settings: MentionSettings, notification: Notification): Mentions {
  const named = (given: readonly string[], labels: readonly string[]): readonly string[] => {
    const found = labels.flatMap((label) => valuesOf(notification, label));
    return [...new Set([...given, ...found])].slice(0, MAX_MENTIONS);
  };
  return {
    mobiles: named(settings.mobiles, settings.mobile_labels),
    userIds: named(settings.user_ids, settings.user_id_labels),
    all: settings.all,
  };
}

function valuesOf({ alerts }: Notification, name: string): string[] {
  return alerts
    .filter(({ status }) => status === 'firing')
    .flatMap(({ labels, annotations }) => {
      const value = new Map(labels).get(name) ?? annotations.get(name) ?? '';
      return value.split(/[,;\s]+/).filter((part) => part !== '');
    });
}
