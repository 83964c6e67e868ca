import type { Alert } from '../alert/alert.ts';
import type { AggregationGroup } from './aggregation-group.ts';

/** Told of every alert that comes into a group or leaves it; called in the midst of that, so it must neither throw nor take long. */
export interface GroupObserver {
  onGrouped(group: AggregationGroup, alert: Alert): void;
  /** Its end was dealt with. */
  onEnded(group: AggregationGroup, alert: Alert): void;
}
