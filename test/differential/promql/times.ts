/** When a query is asked for. */
export type Times =
  | { readonly kind: 'instant'; readonly timeMs: number }
  | {
      readonly kind: 'range';
      readonly startMs: number;
      readonly endMs: number;
      readonly stepMs: number;
    };
