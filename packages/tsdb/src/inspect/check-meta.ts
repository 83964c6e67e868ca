import type { Files } from '@pollux/base';
import { OperatingError } from '@pollux/base';
import { type BlockMeta, decodeMeta } from '../format/meta.ts';
import type { Findings } from './finding.ts';

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const STATISTICS = [
  'numSamples',
  'numFloatSamples',
  'numHistogramSamples',
  'numSeries',
  'numChunks',
  'numTombstones',
] as const;

/** What was counted in the files of a block. */
export type CountedStats = Readonly<Record<(typeof STATISTICS)[number], number>>;

/** A meta.json that could be read, with its statistics as they are written. */
export type CheckedMeta = {
  readonly meta: BlockMeta;
  readonly stats: Readonly<Record<string, unknown>>;
};

/**
 * Checks what a block's meta.json says of itself. Null when it cannot be read. `isSlice`: it is one of down-sampled data,
 * whose sources are blocks.
 */
export function checkMeta(
  files: Files,
  directory: string,
  findings: Findings,
  isSlice = false,
): CheckedMeta | null {
  const path = `${directory}/meta.json`;
  let text: string;
  let meta: BlockMeta;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(files.readFile(path));
    meta = decodeMeta(text, path);
  } catch (error) {
    const why = OperatingError.is(error)
      ? error.message.replace(`${path}: `, '')
      : 'cannot be read';
    findings.add(path, null, why);
    return null;
  }
  const tell = (what: string): void => findings.add(path, null, what);
  const name = directory.slice(directory.lastIndexOf('/') + 1);
  if (meta.ulid !== name) tell(`says it is block ${meta.ulid}`);
  if (meta.minTime >= meta.maxTime)
    tell(`minTime ${meta.minTime} is not before maxTime ${meta.maxTime}`);
  const raw = JSON.parse(text) as Record<string, Record<string, unknown>>;
  checkCompaction(raw.compaction ?? {}, meta, tell);
  if (!isSlice) checkOwnSource(meta, tell);
  const stats = raw.stats ?? {};
  for (const field of Object.keys(stats)) {
    if (!(STATISTICS as readonly string[]).includes(field))
      tell(`unknown statistic ${JSON.stringify(field)}`);
  }
  return { meta, stats };
}

function checkCompaction(
  raw: Readonly<Record<string, unknown>>,
  meta: BlockMeta,
  tell: (what: string) => void,
): void {
  const { level, sources } = raw;
  if (!Number.isSafeInteger(level) || Number(level) < 1) tell('compaction has no level');
  if (!Array.isArray(sources) || sources.length === 0) tell('compaction has no sources');
  for (const source of meta.compaction.sources) {
    if (!ULID.test(source)) tell(`source ${JSON.stringify(source)} is no ULID`);
  }
}

function checkOwnSource(meta: BlockMeta, tell: (what: string) => void): void {
  const isOwnSource = meta.compaction.sources.includes(meta.ulid);
  if (isOwnSource && (meta.compaction.sources.length > 1 || meta.compaction.level !== 1))
    tell('a block that is its own source has level 1 and no other source');
  if (meta.compaction.level === 1 && meta.compaction.sources.length === 1 && !isOwnSource)
    tell('a block of level 1 is its own source');
}

/** Compares the statistics with what was counted. One that is not written counts as zero, but for those that are newer. */
export function checkStats(
  { stats }: CheckedMeta,
  counted: CountedStats,
  directory: string,
  findings: Findings,
): void {
  for (const field of STATISTICS) {
    const written = stats[field];
    if (written === undefined && (field === 'numFloatSamples' || field === 'numHistogramSamples'))
      continue;
    if ((written ?? 0) !== counted[field])
      findings.add(
        `${directory}/meta.json`,
        null,
        `${field} is ${JSON.stringify(written ?? 0)}, the files hold ${counted[field]}`,
      );
  }
}
