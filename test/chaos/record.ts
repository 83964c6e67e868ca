import type { HostName } from '@pollux/roles/up';

/** Everything that was seen in one run; all times are the wall clock's, ms. Judges read nothing else. */
export type ChaosRecord = {
  readonly setUp: SetUpName;
  readonly seed: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** Each host had a network and a disk of its own; null, or why not. */
  readonly isolationMissing: string | null;
  readonly faults: readonly PlayedFault[];
  readonly alarms: readonly Alarm[];
  readonly silences: readonly Silence[];
  /** When each replica's scrapes of the first target were answered well. */
  readonly scrapes: Readonly<Record<HostName, readonly number[]>>;
  /** By process, `A/server`: when it could not answer. */
  readonly outages: Readonly<Record<string, readonly Span[]>>;
  /** When a server lost its disk. */
  readonly wiped: Readonly<Record<HostName, readonly number[]>>;
  /** What each server said of what it lacks, whenever it was something new; it fills its gaps from its twin. */
  readonly lacking: Readonly<Record<HostName, readonly Lacking[]>>;
  readonly answers: readonly Answer[];
  readonly notifications: readonly Notification[];
  /** Of each server, before each loss of its disk and at the end, one after the other: time and value of the first target's time counter. */
  readonly samples: Readonly<Record<HostName, readonly Point[]>>;
  /** At the end, of each long-term store: times of the same counter, of any replica. Null when it did not answer. */
  readonly stored: Readonly<Record<string, readonly number[] | null>>;
};

export type SetUpName = 'pollux' | 'hand-made';
export type Span = { readonly fromMs: number; readonly toMs: number };
export type Lacking = { readonly atMs: number; readonly gaps: readonly Span[] };
export type Point = readonly [timeMs: number, value: number];

export const FAULT_KINDS = [
  'kill-process',
  'kill-host',
  'pause-process',
  'silent-host',
  'cut-link',
  'wiped-disk',
  'deploy',
] as const;
/** Those that take hosts with a network and a disk of their own. */
export const ISOLATED_KINDS = ['cut-host', 'partition', 'full-disk'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number] | (typeof ISOLATED_KINDS)[number];

export type PlayedFault = {
  readonly kind: FaultKind;
  readonly host: HostName;
  /** What was hit, as `A/server`; empty when the set-up has no such process. */
  readonly processes: readonly string[];
  readonly fromMs: number;
  /** When it was taken back: the process started again, the link was mended. */
  readonly endedMs: number;
  /** When everything answered again. */
  readonly recoveredMs: number;
};

/** `chaos_alarm{id}` is 1 from rise to fall. */
export type Alarm = {
  readonly id: string;
  readonly riseMs: number;
  readonly fallMs: number;
  readonly isSilenced: boolean;
};

export type Silence = {
  readonly id: string;
  readonly askedMs: number;
  /** Null when the address did not take it. */
  readonly acknowledgedMs: number | null;
  readonly endsMs: number;
};

export type Notification = {
  readonly id: string;
  readonly status: 'firing' | 'resolved';
  readonly atMs: number;
  readonly from: HostName;
};

export type Answer = {
  readonly question: string;
  readonly what: What;
  readonly isRange: boolean;
  readonly askedMs: number;
  readonly tookMs: number;
  /** The evaluated times; equal for an instant. */
  readonly startMs: number;
  readonly endMs: number;
  /** Why there was no answer. */
  readonly error: string | null;
  /** Of the one series; of names, none. */
  readonly points: readonly Point[];
  /** How many series came where one was asked for. */
  readonly seriesCount: number;
  readonly names: readonly string[];
  readonly warnings: readonly string[];
  /** Whose entry of the address answered. */
  readonly by: HostName | null;
  /** Index of the answer to the same question asked just before. */
  readonly repeats: number | null;
};

/** What is known of a right answer. */
export type What = ValueQuestion | { readonly kind: 'names'; readonly expected: readonly string[] };

export type ValueQuestion = {
  /**
   * `time`: the time counter of the first target. `slope`: its rate, 1. `exact`: a value that is the same whatever was sampled when,
   * as long as all of a step comes from the same scrapes.
   */
  readonly kind: 'time' | 'slope' | 'exact';
  /** Of `exact`. */
  readonly value: number;
  /** How far back the evaluation lies, and how far it looks from there; a plain selector looks for its newest sample. */
  readonly offsetMs: number;
  readonly windowMs: number;
};
