import type { Clock, Files } from '@pollux/base';
import { TMP_FOR_CREATION, TMP_FOR_DELETION } from '../block/block-set.ts';
import { DirectoryError } from '../errors.ts';
import { Slices } from '../slices.ts';
import { type Finding, Findings } from './finding.ts';
import { verifyBlock } from './verify-block.ts';
import { verifyHeadChunks } from './verify-head-chunks.ts';
import { verifyLogs } from './verify-log.ts';
import { BLOCK_NAME, slicePaths, verifySlice, verifySliceSets } from './verify-slices.ts';

export type VerifyOptions = {
  readonly files: Files;
  readonly clock: Clock;
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Called before each part: which, and how many there are. */
  readonly onPart?: (part: string, index: number, count: number) => void;
};

export type Verification = {
  readonly blocks: number;
  /** Of down-sampled data. */
  readonly slices: number;
  readonly headChunks: number;
  readonly logRecords: number;
  /** At most a bounded number of each file. */
  readonly findings: readonly Finding[];
  /** How many there were. */
  readonly findingCount: number;
};

/**
 * Examines a data directory: all blocks, down-sampled data, the logs, and the head chunks. Changes nothing and takes no lock; of one that is
 * in use, what is being written may look torn. Throws DirectoryError, CanceledError, and the system's errors of reading.
 */
export async function verifyDirectory(options: VerifyOptions): Promise<Verification> {
  const { files, clock, directory, signal, onPart } = options;
  if (!files.exists(directory) || !files.stat(directory).isDirectory)
    throw new DirectoryError(directory, 'no such directory');
  const findings = new Findings();
  const slices = new Slices(clock, signal);
  const breathe = async (): Promise<void> => {
    if (slices.isOver) await slices.pause();
  };
  const names = files.list(directory);
  const blocks = names.filter((name) => BLOCK_NAME.test(name));
  const paths = slicePaths(files, directory);
  const parts = blocks.length + paths.length + 2;
  for (const name of names) {
    if (name.endsWith(TMP_FOR_CREATION) || name.endsWith(TMP_FOR_DELETION))
      findings.add(`${directory}/${name}`, null, 'is left over from an interrupted write');
  }
  for (const [index, name] of blocks.entries()) {
    onPart?.(name, index, parts);
    await verifyBlock({ files, directory: `${directory}/${name}`, findings, breathe });
  }
  const known = [];
  for (const [index, slice] of paths.entries()) {
    onPart?.(slice.ulid, blocks.length + index, parts);
    const found = await verifySlice({ files, slice, findings, breathe });
    if (found !== null) known.push({ ...slice, ...found.meta });
  }
  verifySliceSets(files, directory, known, findings);
  onPart?.('log', parts - 2, parts);
  const logRecords = await verifyLogs({ files, directory, findings, breathe });
  onPart?.('head chunks', parts - 1, parts);
  const headDirectory = `${directory}/chunks_head`;
  const headChunks = await verifyHeadChunks(files, headDirectory, findings, breathe);
  return {
    blocks: blocks.length,
    slices: paths.length,
    headChunks,
    logRecords,
    findings: findings.list,
    findingCount: findings.count,
  };
}
