import { CorruptionError } from '../errors.ts';

export type BlockStats = {
  readonly numSamples: number;
  readonly numSeries: number;
  readonly numChunks: number;
  readonly numFloatSamples?: number;
  readonly numHistogramSamples?: number;
  readonly numTombstones?: number;
  /** What this program does not use (`numFloatSamples` …) is kept as it was. */
  readonly [field: string]: number | undefined;
};

/** What is known of a block from which another was made. */
export type BlockParent = {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
};

/** How a block came to be. What this program does not use is kept as it was. */
export type BlockCompaction = {
  /** 1 for a block cut from a head; a compacted block is one above its highest parent. */
  readonly level: number;
  /** The level-1 blocks whose samples are in it. */
  readonly sources: readonly string[];
  readonly parents?: readonly BlockParent[];
  /** It holds nothing that is still wanted. */
  readonly deletable?: boolean;
  /** Compacting it failed for a reason that lies in it; it is not tried again. */
  readonly failed?: boolean;
  /** The oldest block whose samples are in it, where `sources` do not tell; see {@link originOf}. */
  readonly origin?: string;
  /** Which part of a head it was made from (`from-out-of-order`, `from-stale-series` …). */
  readonly hints?: readonly string[];
  readonly [field: string]: unknown;
};

/** A block's `meta.json`; layout in `meta.md`. Times are whole ms; `maxTime` is exclusive. */
export type BlockMeta = {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly stats: BlockStats;
  readonly compaction: BlockCompaction;
  /** Fields that this program does not use are kept as they were. */
  readonly rest?: Readonly<Record<string, unknown>>;
};

/** Hint of a block that holds out-of-order samples only: it may overlap others, and the head. */
export const FROM_OUT_OF_ORDER = 'from-out-of-order';

export function isFromOutOfOrder({ compaction }: BlockMeta): boolean {
  return Array.isArray(compaction.hints) && compaction.hints.includes(FROM_OUT_OF_ORDER);
}

/** The oldest block whose samples are in it: a block that is written anew under another name is as old as before. */
export function originOf({ ulid, compaction: { sources, origin } }: BlockMeta): string {
  if (origin !== undefined) return origin;
  return [...sources].sort()[0] ?? ulid;
}

/** As Go's json.MarshalIndent with tabs; zero statistics are left out, as Prometheus does. */
export function encodeMeta(meta: BlockMeta): string {
  const { ulid, minTime, maxTime, compaction } = meta;
  const stats = Object.fromEntries(Object.entries(meta.stats).filter(([, count]) => count !== 0));
  return JSON.stringify(
    { ulid, minTime, maxTime, stats, compaction, version: 1, ...meta.rest },
    null,
    '\t',
  );
}

export function decodeMeta(text: string, place: string): BlockMeta {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new CorruptionError(place, 'is no JSON', { cause });
  }
  if (!isRecord(raw)) throw new CorruptionError(place, 'is no JSON object');
  const { ulid, minTime, maxTime, stats, compaction, version, ...rest } = raw;
  if (version !== 1) throw new CorruptionError(place, `version ${String(version)} is not known`);
  if (
    typeof ulid !== 'string' ||
    !Number.isSafeInteger(minTime) ||
    !Number.isSafeInteger(maxTime) ||
    !isRecord(compaction)
  ) {
    throw new CorruptionError(place, 'ulid, minTime, maxTime or compaction is missing or wrong');
  }
  const counts = isRecord(stats) ? stats : {};
  const count = (name: string): number => (typeof counts[name] === 'number' ? counts[name] : 0);
  return {
    ulid,
    minTime: Number(minTime),
    maxTime: Number(maxTime),
    stats: {
      ...Object.fromEntries(Object.keys(counts).map((name) => [name, count(name)])),
      numSamples: count('numSamples'),
      numFloatSamples: count('numFloatSamples'),
      numHistogramSamples: count('numHistogramSamples'),
      numSeries: count('numSeries'),
      numChunks: count('numChunks'),
      numTombstones: count('numTombstones'),
    },
    compaction: decodeCompaction(compaction),
    rest,
  };
}

/** Fields of a wrong type are taken as missing: a block is not lost for them. */
function decodeCompaction(raw: Readonly<Record<string, unknown>>): BlockCompaction {
  const { level, sources, parents, deletable, failed, hints, origin, ...rest } = raw;
  return {
    level: typeof level === 'number' ? level : 1,
    sources: Array.isArray(sources) ? sources.map(String) : [],
    ...(deletable === true ? { deletable } : {}),
    ...(Array.isArray(parents) ? { parents: parents.filter(isParent) } : {}),
    ...(failed === true ? { failed } : {}),
    ...(Array.isArray(hints) ? { hints: hints.map(String) } : {}),
    ...(typeof origin === 'string' ? { origin } : {}),
    ...rest,
  };
}

function isParent(value: unknown): value is BlockParent {
  return isRecord(value) && typeof value.ulid === 'string';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
