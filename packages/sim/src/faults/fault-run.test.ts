import { describe, expect, it } from 'vitest';
import { downsamplingSubject } from './downsampling-subject.ts';
import {
  allCases,
  caseName,
  caseOfName,
  type FaultSubject,
  runCase,
  sampleCases,
} from './fault-run.ts';
import { shardsSubject } from './shards-subject.ts';
import { tsdbSubject } from './tsdb-subject.ts';

/** The whole is `npm run soak -- disk`; here a part of it, another one by POLLUX_FAULT_SEED. */
const SEED = Number(process.env.POLLUX_FAULT_SEED ?? 1);
const CASES = 15;

async function problemsOf<Db>(subject: FaultSubject<Db>, count: number): Promise<string[]> {
  const cases = await allCases(subject);
  expect(cases.length).toBeGreaterThan(1_000);
  const problems: string[] = [];
  for (const fault of sampleCases(cases, count, SEED)) {
    const found = await runCase(subject, fault, SEED);
    problems.push(...found.map((text) => `${caseName(fault)}: ${text}`));
  }
  return problems;
}

describe('at any operation of its disk a fault or a power cut loses nothing acknowledged and invents nothing', () => {
  for (const subject of [
    tsdbSubject('always'),
    tsdbSubject('interval'),
    tsdbSubject('always', { outOfOrderWindowMs: 15_000 }),
  ]) {
    it(subject.name, async () => {
      expect(await problemsOf(subject, CASES)).toEqual([]);
    });
  }

  for (const subject of [
    downsamplingSubject(),
    downsamplingSubject({ outOfOrderWindowMs: 15_000 }),
  ]) {
    it(subject.name, async () => {
      expect(await problemsOf(subject, CASES)).toEqual([]);
    });
  }

  for (const subject of [shardsSubject(null), shardsSubject('/wal')]) {
    it(subject.name, async () => {
      expect(await problemsOf(subject, CASES)).toEqual([]);
    });
  }
});

describe('the run itself', () => {
  it('catches a database that acknowledges before the disk has it', async () => {
    const liar = tsdbSubject('none', {}, 'always');
    await expect(allCases(liar)).rejects.toThrow('is missing');
    const fault = caseOfName('power:60:none');
    if (fault === null) throw new Error('no case');
    expect((await runCase(liar, fault, SEED)).join()).toContain('is missing');
    expect(await runCase(tsdbSubject('always'), fault, SEED)).toEqual([]);
  });

  it('catches a database that forgets what it was told to delete', async () => {
    const honest = tsdbSubject('always');
    const forgetful: typeof honest = {
      ...honest,
      open: async (world) => {
        const db = await honest.open(world);
        db.deleteSamples = async () => {};
        return db;
      },
    };
    await expect(allCases(forgetful)).rejects.toThrow('not nothing');
  });

  it('plays the same case the same way', async () => {
    const subject = tsdbSubject('always');
    const fault = caseOfName('power:100:some');
    if (fault === null) throw new Error('no case');
    expect(caseName(fault)).toBe('power:100:some');
    const liar = tsdbSubject('none', {}, 'always');
    expect(await runCase(liar, fault, 5)).toEqual(await runCase(liar, fault, 5));
    expect(await runCase(subject, fault, 5)).toEqual([]);
    expect(caseOfName('EIO:7:while')).toEqual({ kind: 'EIO', at: 7, lasts: 'while' });
    expect(caseOfName('rubbish')).toBeNull();
  });
});
