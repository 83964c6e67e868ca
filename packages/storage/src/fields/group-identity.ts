/** A shard group: [startMs, endMs): the end is not included. `id` grows for ever over all databases. */
export type GroupIdentity = {
  readonly id: number;
  readonly database: string;
  readonly retentionPolicy: string;
  readonly startMs: number;
  readonly endMs: number;
};
