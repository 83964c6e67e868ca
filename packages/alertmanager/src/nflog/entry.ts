import type { WireTime } from '../wire/timestamp.ts';

/** One integration of one receiver, as the log names it. */
export type LogReceiver = {
  readonly groupName: string;
  /** `webhook`, `dingtalk` … */
  readonly integration: string;
  /** Position within that integration's list of the receiver. */
  readonly index: number;
};

/** What was last notified for one group to one integration. Hashes are of {@link alertHash}. */
export type LogEntry = {
  readonly groupKey: string;
  readonly receiver: LogReceiver;
  readonly timestamp: WireTime;
  readonly firing: readonly bigint[];
  readonly resolved: readonly bigint[];
  /** What the receiver noted for its next notification of the group. */
  readonly memory: ReadonlyMap<string, string>;
};

/** The identity under which members merge entries. */
export function entryKey(groupKey: string, { groupName, integration, index }: LogReceiver): string {
  return `${groupKey}:${groupName}/${integration}/${index}`;
}
