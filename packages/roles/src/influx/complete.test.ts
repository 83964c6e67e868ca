import { describe, expect, it } from 'vitest';
import { complete, type NamesSource } from './complete.ts';

const asked: string[] = [];
const names: NamesSource = async (statement, column) => {
  asked.push(statement);
  const known: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
    'SHOW DATABASES': { name: ['prometheus', 'my db'] },
    'SHOW MEASUREMENTS LIMIT 1000': { name: ['up', 'node.load'] },
    'SHOW RETENTION POLICIES': { name: ['autogen'] },
    'SHOW TAG KEYS FROM "node.load"': { tagKey: ['host'] },
    'SHOW FIELD KEYS FROM "node.load"': { fieldKey: ['value'] },
  };
  return known[statement]?.[column] ?? [];
};
const candidates = async (line: string): Promise<readonly string[]> =>
  (await complete(line, names)).candidates;

describe('completion', () => {
  it('begins with commands and statements, in the case that is typed', async () => {
    expect(await candidates('s')).toEqual(['settings', 'select', 'set password for', 'show']);
    expect(await candidates('SEL')).toEqual(['SELECT']);
    expect(await candidates('show re')).toEqual(['retention policies']);
    expect(await candidates('format c')).toEqual(['column', 'csv']);
    expect(await candidates('show databases; dr')).toEqual(['drop']);
  });

  it('knows the names that may stand there, in quotes where they need them', async () => {
    expect(await candidates('use ')).toEqual(['prometheus', '"my db"']);
    expect(await candidates('use "m')).toEqual(['"my db"']);
    expect(await candidates('show tag keys on p')).toEqual(['prometheus']);
    expect(await candidates('alter retention policy a')).toEqual(['autogen']);
    expect(await candidates('SELECT mean(value) FROM ')).toEqual(['up', '"node.load"']);
    expect(await candidates('insert u')).toEqual(['up']);
  });

  it('knows fields and tags of the measurement that is read', async () => {
    const line = 'SELECT value FROM "node.load" WHERE ';
    expect((await candidates(line)).slice(0, 2)).toEqual(['value', 'host']);
    expect(await candidates(`${line}h`)).toEqual(['host', 'holt_winters(']);
    expect((await candidates('SELECT value FROM "node.load" GROUP BY '))[0]).toBe('host');
    expect(await candidates('SELECT me')).toEqual(['mean(', 'median(']);
  });

  it('asks nobody for what needs no names', async () => {
    asked.length = 0;
    await complete('sh', names);
    await complete('create ', names);
    expect(asked).toEqual([]);
  });
});
