import type { MergeHandler } from '../merge/merge-handler.ts';
import type { QueryHandler } from '../query-handler.ts';
import { candidates, type Upstream } from '../upstream.ts';

/** Replicas that hold the same targets; other shards hold others. */
export type Shard = {
  readonly name: string;
  readonly upstreams: readonly Upstream[];
  /** Of this shard alone. */
  readonly queries: Pick<QueryHandler, 'handle'>;
  readonly merged: Pick<MergeHandler, 'handle'>;
};

/** What an answer says of a shard of which no replica answered. */
export function lostShardWarning(
  { name, upstreams }: Pick<Shard, 'name' | 'upstreams'>,
  why: ReadonlyMap<Upstream, string>,
): string {
  const members = upstreams.map((one) => `${one.name}: ${why.get(one) ?? one.lastError}`);
  return `shard ${name} does not answer, its series are missing (${members.join('; ')})`;
}

/** Replicas of a shard that may be asked, but for those that failed this request. */
export function liveOf(
  { upstreams }: Pick<Shard, 'upstreams'>,
  lost: ReadonlySet<Upstream> | ReadonlyMap<Upstream, string>,
): readonly Upstream[] {
  return candidates(upstreams.filter((upstream) => !lost.has(upstream)));
}
