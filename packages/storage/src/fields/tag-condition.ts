/** What a series must fulfil in one tag; an absent tag counts as an empty value. */
export type TagCondition = {
  readonly tag: string;
  /** The only value that passes; null when there may be others. */
  readonly equals: string | null;
  readonly matches: (value: string) => boolean;
};
