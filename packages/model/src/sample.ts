import type { Labels } from './labels/labels.ts';

/** A point outside hot ways: tests, templates, alert values. `timestampMs` is whole milliseconds. */
export type Sample = { readonly timestampMs: number; readonly value: number };

export type Exemplar = {
  readonly labels: Labels;
  readonly value: number;
  /** Null when the exposition gave none. */
  readonly timestampMs: number | null;
};

export type MetricType =
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset'
  | 'unknown';

export type Metadata = { readonly type: MetricType; readonly help: string; readonly unit: string };
