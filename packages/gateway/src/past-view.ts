import type { Matcher } from '@pollux/model';
import {
  type CoverageReport,
  type CoverageSubject,
  type Interval,
  type IntervalSet,
  intersect,
  intervalSet,
  mayMatchAny,
  subtract,
  union,
} from '@pollux/storage';

/** What one replica lacks of some series. */
export type Lack = {
  /** Times it does not cover. */
  readonly gaps: IntervalSet;
  /** Times it covers but gives way to another replica's success. */
  readonly yields: IntervalSet;
  /** Times of which it has only down-sampled data, and others may have the samples: they are asked first. */
  readonly coarse: IntervalSet;
  /** Of a long-term store: only where no server has the samples. */
  readonly isStored?: boolean;
};

/** What the plan knows of one replica: when it may not answer alone for the selectors of a query. */
export type ReplicaView = Lack & {
  readonly name: string;
  /** Where its samples begin; of one of which nothing is known, at no time. */
  readonly sinceMs: number;
  /** Times of which it lacks, or yields, what another has. */
  readonly avoidable: IntervalSet;
};

export type KnownReplica = {
  readonly name: string;
  /** Null where nothing is known: it is taken to cover everything. */
  readonly report: CoverageReport | null;
  /** Times that it lacks besides, as an answer has told. */
  readonly found?: IntervalSet;
  /** A long-term store: it gives samples, and evaluates nothing. */
  readonly isStored?: boolean;
};

/** The past of all replicas as far as some selectors may touch it; lists are in the order of the replicas. */
export type PastView = {
  /** Of all these series together. */
  readonly replicas: readonly ReplicaView[];
  /** Of series of which no replica lacks anything of its own. */
  readonly common: readonly Lack[];
  /** Of the series of each target or rule group of which some replica lacks something. */
  readonly subjects: readonly {
    readonly subject: CoverageSubject;
    readonly lacks: readonly Lack[];
  }[];
  /** Times at which no replica covers some of these series. */
  readonly nobody: IntervalSet;
  /** Times at which all of them failed to scrape what one that is away has scraped. */
  readonly unreached: IntervalSet;
};

/**
 * What `replicas` cover of the subjects that `selectors` may touch. Time before the oldest known past of any replica,
 * down-sampled data included, is nobody's gap: of that time only buckets are left, which are no coverage (invariant I3
 * speaks of visible samples), but better than nothing. `away` are the last reports of replicas that cannot be asked.
 */
export function viewPast(
  replicas: readonly KnownReplica[],
  selectors: readonly (readonly Matcher[])[],
  away: readonly CoverageReport[] = [],
): PastView {
  const known = replicas.flatMap(({ report }) => (report === null ? [] : [report]));
  const baseMs = Math.min(...known.map((report) => report.bucketsSinceMs));
  const states = replicas.map(({ report }) => subjectsOf(report, selectors));
  const plain = replicas.map(({ report, found = [], isStored = false }): Lack => {
    if (report === null) return { gaps: found, yields: [], coarse: [], isStored };
    const { bucketsSinceMs, sinceMs, serverGaps } = report;
    return {
      gaps: intervalSet([{ startMs: baseMs, endMs: bucketsSinceMs }, ...serverGaps, ...found]),
      yields: [],
      coarse: intervalSet([{ startMs: bucketsSinceMs, endMs: sinceMs }]),
      isStored,
    };
  });
  const common = plain.map((lack, index) => ({
    ...lack,
    yields: yieldedSeams(index, replicas, plain),
  }));
  const keys = new Map<string, CoverageSubject>();
  for (const own of states) for (const [key, { subject }] of own) keys.set(key, subject);
  const subjects = [...keys].map(([key, subject]) => ({
    subject,
    lacks: common.map(
      (lack, index): Lack => ({
        ...lack,
        gaps: union(
          lack.gaps,
          lack.isStored === true && subject.kind === 'group'
            ? unevaluated(key, replicas, states)
            : (states[index]!.get(key)?.gaps ?? []),
        ),
        yields: union(lack.yields, yieldsOf(key, index, replicas, states)),
      }),
    ),
  }));
  const kinds = [common, ...subjects.map(({ lacks }) => lacks)];
  const shared = kinds.map(sharedGaps);
  const views = replicas.map(({ name, report }, index): ReplicaView => {
    const own = kinds.map((lacks) => lacks[index]!);
    return {
      name,
      sinceMs: report?.sinceMs ?? Number.NEGATIVE_INFINITY,
      gaps: intervalSet(own.flatMap(({ gaps }) => gaps)),
      yields: intervalSet(own.flatMap(({ yields }) => yields)),
      coarse: common[index]!.coarse,
      isStored: common[index]!.isStored ?? false,
      avoidable: intervalSet(
        own.flatMap(({ gaps, yields }, kind) => [...subtract(gaps, shared[kind]!), ...yields]),
      ),
    };
  });
  return {
    replicas: views,
    common,
    subjects,
    nobody: intervalSet(shared.flat()),
    unreached: unreachedBy(replicas, states, selectors, away),
  };
}

function unreachedBy(
  replicas: readonly KnownReplica[],
  states: readonly ReadonlyMap<string, SubjectState>[],
  selectors: readonly (readonly Matcher[])[],
  away: readonly CoverageReport[],
): IntervalSet {
  const found: Interval[] = [];
  if (away.length === 0) return found;
  const awayStates = away.map((report) => subjectsOf(report, selectors));
  const keys = new Set(states.flatMap((own) => [...own.keys()]));
  for (const key of keys) {
    const bad = replicas.flatMap(({ report, isStored }, index) =>
      isStored === true ? [] : [badOf(report, states[index]!.get(key))],
    );
    const shared = bad.reduce((left, right) => intersect(left, right));
    const intervalMs = Math.max(...states.map((own) => own.get(key)?.intervalMs ?? 0));
    for (const [index, report] of away.entries()) {
      // What it has scraped last it may not have told.
      const untold = { startMs: report.nowMs - intervalMs, endMs: Number.MAX_SAFE_INTEGER };
      const theirs = union(badOf(report, awayStates[index]!.get(key)), [untold]);
      found.push(...wholeIntervals(subtract(shared, theirs), intervalMs));
    }
  }
  return intervalSet(found);
}

/** Times at which a replica has no good scrape or evaluation. */
function badOf(report: CoverageReport | null, own: SubjectState | undefined): IntervalSet {
  if (report === null) return [];
  return intervalSet([
    { startMs: Number.MIN_SAFE_INTEGER, endMs: report.sinceMs },
    ...report.serverGaps,
    ...(own?.gaps ?? []),
    ...(own?.failures ?? []),
  ]);
}

function sharedGaps(lacks: readonly Lack[]): IntervalSet {
  const [first, ...others] = lacks;
  return others.reduce((shared, { gaps }) => intersect(shared, gaps), first?.gaps ?? []);
}

/** Where a replica's own samples and a twin's meet, whole, if another one has any of that time in one piece. */
function yieldedSeams(
  index: number,
  replicas: readonly KnownReplica[],
  plain: readonly Lack[],
): IntervalSet {
  const seams = replicas[index]?.report?.seams ?? [];
  if (seams.length === 0) return [];
  // A store is asked only where no server was there.
  const isPieced = plain.map(({ gaps, isStored }, other) =>
    other === index || isStored === true
      ? seams
      : union(gaps, replicas[other]?.report?.seams ?? []),
  );
  return seams.filter((seam) => isPieced.some((set) => subtract([seam], set).length > 0));
}

/** When no server was there that evaluated a rule group: a store, which is told nothing of that, cannot have its series. */
function unevaluated(
  key: string,
  replicas: readonly KnownReplica[],
  states: readonly ReadonlyMap<string, SubjectState>[],
): IntervalSet {
  const gaps = replicas.flatMap(({ report, isStored }, index) =>
    isStored === true ? [] : [union(report?.serverGaps ?? [], states[index]!.get(key)?.gaps ?? [])],
  );
  return gaps.reduce((shared, own) => intersect(shared, own));
}

/** Failures of one replica where another one succeeded. */
function yieldsOf(
  key: string,
  index: number,
  replicas: readonly KnownReplica[],
  states: readonly ReadonlyMap<string, SubjectState>[],
): IntervalSet {
  const own = states[index]!.get(key);
  if (own === undefined || own.failures.length === 0) return [];
  let yields: IntervalSet = [];
  // What a store has was scraped by one of the servers.
  if (replicas[index]!.isStored === true) return [];
  for (const [other, { report, isStored }] of replicas.entries()) {
    if (other === index || report === null || isStored === true) continue;
    const theirs = states[other]!.get(key);
    // Before its known past the other has nothing to give way to.
    const bad = badOf(report, theirs);
    yields = union(yields, wholeIntervals(subtract(own.failures, bad), own.intervalMs));
  }
  return yields;
}

/**
 * A target that dies is found dead by one replica a phase before the other. Only where the other went on succeeding for a
 * whole interval was it the link that broke, and not the target.
 */
function wholeIntervals(set: IntervalSet, intervalMs: number): IntervalSet {
  return set.filter(({ startMs, endMs }) => endMs - startMs >= intervalMs);
}

/** Targets of any kind of server are known by the labels that all their series carry. */
function keyOf({ kind, key, labels }: CoverageSubject): string {
  return kind === 'target' && !labels.isEmpty ? `target ${labels.key()}` : key;
}

type SubjectState = {
  readonly subject: CoverageSubject;
  readonly intervalMs: number;
  readonly gaps: IntervalSet;
  readonly failures: IntervalSet;
};

function subjectsOf(
  report: CoverageReport | null,
  selectors: readonly (readonly Matcher[])[],
): Map<string, SubjectState> {
  const found = new Map<string, SubjectState>();
  for (const { subject, intervalMs, gaps, failures } of report?.subjects ?? []) {
    if (!mayMatchAny(subject, selectors)) continue;
    const key = keyOf(subject);
    const known = found.get(key);
    found.set(key, {
      subject,
      intervalMs,
      gaps: union(gaps, known?.gaps ?? []),
      failures: union(failures, known?.failures ?? []),
    });
  }
  return found;
}
