import type { Labels } from '@pollux/model';
import type { Alert } from '../alert/alert.ts';
import type { Route } from '../route/route.ts';

/** What tells a group from others. */
export type ObservedGroup = {
  readonly route: Route;
  readonly labels: Labels;
  readonly key: string;
};

/** Told of every alert that comes into a group or leaves it; called in the midst of that, so it must neither throw nor take long. */
export interface GroupObserver {
  onGrouped(group: ObservedGroup, alert: Alert): void;
  /** Its end was dealt with. */
  onEnded(group: ObservedGroup, alert: Alert): void;
}
