import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { SeededRandom } from '@pollux/base';
import { Labels } from '@pollux/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  append,
  dumpLines,
  numberOf,
  openTsdb,
  removeDirectory,
  T0,
  temporaryDirectory,
  type Write,
} from './testing/fixtures.ts';

const version = spawnSync('promtool', ['--version'], { encoding: 'utf8' });
const hasPromtool = version.status === 0;
const [, major = 0, minor = 0] =
  /version (\d+)\.(\d+)/.exec(version.stdout ?? '')?.map(Number) ?? [];
/** Prometheus 3 reads zstd in its log; 2.42 does not. */
const readsZstd = major >= 3;
const REASON = hasPromtool
  ? ''
  : ' (skipped: no promtool on the PATH; install Debian package prometheus)';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => removeDirectory(directory));

/** Names and values that need every kind of care: UTF-8, quotes, backslashes, newlines, long texts. */
const LABELS = [
  Labels.from({ __name__: 'plain', job: 'a' }),
  Labels.from({ __name__: 'plain', job: 'b', long: 'x'.repeat(3000) }),
  Labels.from({ __name__: 'utf8', city: 'Köln', emoji: '🙂', cjk: '服务器' }),
  Labels.from({ __name__: 'odd', path: 'C:\\dir\\"q"', lines: 'a\nb' }),
];

describe.skipIf(!hasPromtool)(`promtool${REASON}`, () => {
  it('dumps our blocks and log as the ledger says, bit for bit, and analyses the blocks', async () => {
    const random = new SeededRandom(7);
    const db = await openTsdb(directory, {
      options: { minBlockDurationMs: 120_000, maxBlockDurationMs: 120_000, retentionMs: 0 },
    });
    const ledger: string[] = [];
    for (let second = 0; second < 800; second++) {
      const writes: Write[] = [];
      for (const [i, labels] of LABELS.entries()) {
        if (random.below(10) === 0) continue;
        writes.push({ labels, timestampMs: T0 + second * 1000 + i, value: anyValue(random, i) });
      }
      await append(db, writes);
      for (const { labels, timestampMs, value } of writes) {
        const number = numberOf(value as bigint);
        const text = Object.is(number, -0) ? '-0' : String(number);
        ledger.push(`${labels} ${text} ${timestampMs}`);
      }
      if (second % 20 === 0) await db.tick();
    }
    await db.close();
    // promtool reads blocks through the database's own lock; it gets a copy, as in the acceptance test.
    const copy = path.join(directory, 'copy');
    fs.mkdirSync(copy);
    for (const name of fs.readdirSync(directory)) {
      if (name !== 'copy')
        fs.cpSync(path.join(directory, name), path.join(copy, name), { recursive: true });
    }
    const dump = execFileSync('promtool', ['tsdb', 'dump', copy], { maxBuffer: 1 << 28 });
    expect(ledger.length).toBeGreaterThan(2500);
    expect(dumpLines(dump.toString())).toEqual(ledger.sort());
    const blocks = fs.readdirSync(directory).filter((name) => name.length === 26);
    expect(blocks.length).toBeGreaterThanOrEqual(5);
    for (const block of blocks) {
      const report = execFileSync('promtool', ['tsdb', 'analyze', directory, block]).toString();
      expect(report).toContain(`Series: ${LABELS.length}`);
    }
  });
});

describe.skipIf(!hasPromtool || !readsZstd)(
  `promtool ${major}.${minor}${readsZstd ? '' : ' (skipped: zstd in the log is read by version 3)'}`,
  () => {
    it('dumps our log compressed with zstd', async () => {
      const db = await openTsdb(directory, { options: { walCompression: 'zstd' } });
      const writes = LABELS.map((labels, i) => ({ labels, timestampMs: T0, value: i }));
      await append(db, writes);
      await db.close();
      const dump = execFileSync('promtool', ['tsdb', 'dump', directory]).toString();
      expect(dumpLines(dump)).toHaveLength(writes.length);
    });
  },
);

/** promtool prints every NaN alike, so NaNs are left to other tests. */
function anyValue(random: SeededRandom, kind: number): bigint {
  if (kind === 0) return 0x4045000000000000n;
  for (;;) {
    const bits = (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));
    const value = numberOf(bits);
    if (!Number.isNaN(value)) return bits;
  }
}
