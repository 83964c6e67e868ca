import type { Labels } from '@pollux/model';

/** An alert as it leaves for the alertmanagers. Times in whole ms. */
export type OutgoingAlert = {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly generatorUrl: string;
};

/** Takes alerts to deliver; never waits and never throws, so that no receiver can hold a rule. */
export interface AlertSink {
  send(alerts: readonly OutgoingAlert[]): void;
}
