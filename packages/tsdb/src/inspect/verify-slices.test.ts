import * as fs from 'node:fs';
import * as path from 'node:path';
import { NodeFiles, nodeEnv } from '@pollux/base/node';
import { Matcher } from '@pollux/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ask,
  BLOCK_MS,
  billing,
  DROPPING,
  debug,
  MINUTE_MS,
  OLD,
  OPTIONS,
  opened,
  plain,
  windows,
  writeBlocks,
} from '../testing/downsampled.ts';
import {
  ALL_TIME,
  context,
  EVERY,
  removeDirectory,
  temporaryDirectory,
} from '../testing/fixtures.ts';
import { sliceSummaries } from './block-summary.ts';
import { Findings } from './finding.ts';
import { repairDirectory } from './repair-directory.ts';
import { type Verification, verifyDirectory } from './verify-directory.ts';
import { slicePaths, verifySlice } from './verify-slices.ts';

const files = new NodeFiles();
const breathe = async (): Promise<void> => {};
let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

const root = (): string => path.join(directory, 'downsampled', '1m');
const slices = (): string[] => fs.readdirSync(root()).sort();

async function verify(): Promise<Verification> {
  const { signal } = new AbortController();
  return verifyDirectory({ files, clock: nodeEnv().clock, directory, signal });
}

async function textsOf(): Promise<string> {
  const { findings } = await verify();
  return findings.map(({ file, text }) => `${path.relative(directory, file)}: ${text}`).join('\n');
}

/** Eight blocks of which all but the newest are dropped, one series by another rule, and some buckets deleted. */
async function leave(): Promise<void> {
  await writeBlocks(directory, [plain, billing, debug]);
  const rules = [{ matchers: [new Matcher('job', '=', 'billing')], keepMs: 1000 * BLOCK_MS }];
  const db = await opened(directory, { ...DROPPING, retentionRules: rules }, 20);
  const range = { minMs: 15 * MINUTE_MS, maxMs: 16 * MINUTE_MS };
  await db.deleteSamples(range, [new Matcher('job', '=', 'x')]);
  await db.close();
}

describe('verifying down-sampled data', () => {
  it('finds nothing wrong with what a database has made, and lists it', async () => {
    await leave();
    const count = slices().length;
    expect(count).toBeGreaterThan(2);
    expect(await verify()).toMatchObject({ slices: count, findingCount: 0, findings: [] });
    const listed = sliceSummaries(files, directory);
    expect(listed).toHaveLength(count);
    const [first] = listed;
    expect(first).toMatchObject({ resolutionMs: MINUTE_MS, minMs: 1, seriesCount: 3 });
    expect(listed.map(({ maxMs }, i) => listed[i + 1]?.minMs ?? maxMs)).toEqual(
      listed.map(({ maxMs }) => maxMs),
    );
    expect(first!.droppedUntilMs).toBe(first!.maxMs - 1);
  });

  it('finds each changed byte of chunks, index, deletions and notes of what was dropped', async () => {
    await leave();
    const [slice] = slicePaths(files, directory).filter(({ directory: at }) => {
      return files.readFile(`${at}/tombstones`).length > 9;
    });
    const raw = fs.readdirSync(slice!.directory);
    expect(raw).toContain('raw-dropped');
    for (const name of ['chunks/000001', 'index', 'tombstones', 'raw-dropped']) {
      const at = path.join(slice!.directory, name);
      const bytes = fs.readFileSync(at);
      for (let i = 0; i < bytes.length; i++) {
        const changed = Buffer.from(bytes);
        changed[i]! ^= 1 << (i % 8);
        fs.writeFileSync(at, changed);
        const findings = new Findings();
        await verifySlice({ files, slice: slice!, findings, breathe });
        if (findings.count === 0) expect(`byte ${i} of ${name}`).toBe('found');
      }
      fs.writeFileSync(at, bytes);
    }
  });

  it('finds what contradicts itself although checksums are right', async () => {
    await leave();
    const [one = '', two = ''] = slices();
    fs.renameSync(root(), path.join(directory, 'downsampled', '2m'));
    expect(await textsOf()).toMatch(
      /does not decode: buckets of 60000 ms among those of 120000 ms/,
    );
    expect(await textsOf()).toMatch(/says it has buckets of 60000 ms/);
    fs.renameSync(path.join(directory, 'downsampled', '2m'), root());
    expect(await textsOf()).toBe('');
    const meta = (name: string): string => path.join(root(), name, 'meta.json');
    const text = fs.readFileSync(meta(two), 'utf8');
    fs.writeFileSync(meta(two), text.replace(/"minTime": \d+/, '"minTime": 30000'));
    expect(await textsOf()).toMatch(/its time does not end with a bucket at 29999/);
    expect(await textsOf()).toMatch(/overlaps slice \w{26} of the same resolution/);
    fs.writeFileSync(meta(two), text);
    fs.mkdirSync(path.join(root(), `${one}.tmp-for-deletion`));
    expect(await textsOf()).toMatch(/tmp-for-deletion: is left over from an interrupted write/);
  });

  it('is not troubled by what is not of this program', async () => {
    await leave();
    fs.mkdirSync(path.join(directory, 'downsampled', 'notes'));
    expect(await textsOf()).toBe('');
  });
});

describe('repairing down-sampled data', () => {
  const harm = (name: string): void => {
    const at = path.join(root(), name, 'index');
    const bytes = fs.readFileSync(at);
    bytes[20]! ^= 1;
    fs.writeFileSync(at, bytes);
  };
  const repair = async (): Promise<string[]> => {
    const actions: string[] = [];
    const onAction = ({ text }: { text: string }): number => actions.push(text);
    const { signal } = new AbortController();
    const common = { env: nodeEnv(), directory, isApplied: true, signal };
    const left = await repairDirectory({ ...common, onAction });
    return [...actions, ...left.map(({ text }) => text)];
  };

  it('removes a damaged slice while all samples are there, and leaves the only one', async () => {
    await writeBlocks(directory, [plain]);
    await (await opened(directory, OPTIONS, 3)).close();
    const count = slices().length;
    harm(slices()[0]!);
    expect(await repair()).toEqual([expect.stringMatching(/^remove: the server makes it anew/)]);
    expect(slices()).toHaveLength(count - 1);
    await (await opened(directory, DROPPING, 3)).close();
    const names = slices();
    expect(names.length).toBeGreaterThanOrEqual(count);
    harm(names.find((name) => fs.existsSync(path.join(root(), name, 'raw-dropped')))!);
    const left = (await repair()).join();
    expect(left).toMatch(/wrong checksum/);
    expect(left).not.toMatch(/remove/);
    expect(slices()).toEqual(names);
  });
});

describe('a snapshot of a database that has dropped samples', () => {
  it('answers as it does, and knows what was dropped', async () => {
    await leave();
    const db = await opened(directory, DROPPING, 0);
    const name = await db.snapshot(false);
    const copy = path.join(directory, 'snapshots', name);
    expect(fs.readdirSync(path.join(copy, 'downsampled', '1m')).sort()).toEqual(slices());
    const second = await opened(copy, DROPPING, 0);
    for (const func of ['count_over_time', 'rate', 'max_over_time']) {
      const expected = await ask(db, windows(func, OLD));
      expect(expected.series.size).toBe(3);
      expect(await ask(second, windows(func, OLD))).toEqual(expected);
    }
    const job = await second.labelValues('job', ALL_TIME, [], 0, context());
    expect(job).toEqual(await db.labelValues('job', ALL_TIME, [], 0, context()));
    await expect(ask(second, { kind: 'samples' })).rejects.toThrow(/were dropped/);
    // The original goes on without touching the copy.
    await db.deleteSamples(ALL_TIME, EVERY);
    await db.close();
    expect((await ask(second, windows('rate', OLD))).series.size).toBe(3);
    await second.close();
    const paths = slicePaths(files, copy);
    expect(paths.length).toBeGreaterThan(0);
    for (const slice of paths) {
      const findings = new Findings();
      await verifySlice({ files, slice, findings, breathe });
      expect(findings.list).toEqual([]);
    }
  });
});
