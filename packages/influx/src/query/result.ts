/** A cell of an answer: integers and times are bigint, so no int64 passes through a double. */
export type Cell = number | bigint | string | boolean | null;

/** SHOW statements have lists of texts, too. */
export type ShownCell = Cell | readonly string[];

export type ResultSeries<C extends ShownCell = ShownCell> = {
  readonly name: string;
  /** Sorted; null when the statement groups by no tag. */
  readonly tags: readonly (readonly [string, string])[] | null;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly C[])[];
  /** Whether the first column holds nanoseconds since 1970. */
  readonly hasTime: boolean;
  readonly partial?: boolean;
};

export type StatementResult = {
  readonly statementId: number;
  readonly series: readonly ResultSeries[];
  readonly messages: readonly string[];
  readonly error: string | null;
  readonly partial?: boolean;
  /** tz() of the statement. */
  readonly timeZone: string | null;
};
