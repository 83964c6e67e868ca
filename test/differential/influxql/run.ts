import { TestStore } from '../../../packages/influx/test/harness.ts';
import { startInfluxd } from '../../peers/real-influxd.ts';
import { batchOf } from './lines.ts';
import { sameAnswer } from './same-answer.ts';
import { statementOf } from './statements.ts';

export type Settings = {
  readonly seed: number;
  readonly batches: number;
  readonly queries: number;
  /** Only the query of this number. */
  readonly only?: number | undefined;
};

export type Finding = {
  readonly what: string;
  readonly ours: string;
  readonly theirs: string;
};

export type Report = {
  readonly batches: number;
  /** Batches of which the peer refused something. */
  readonly refused: number;
  readonly queries: number;
  /** Queries that the peer answered with rows, and those that it answered with an error. */
  readonly withRows: number;
  readonly withErrors: number;
  readonly findings: readonly Finding[];
};

const DATABASE = 'd';
const BAD_DATABASE = 'bad';
/** Seeds of queries lie far from those of batches. */
const QUERY_SEEDS = 1_000_000;

/** Writes the same batches to influxd and to a store of ours, compares what each says to them, and then the answers to the same queries. */
export async function run({ seed, batches, queries, only }: Settings): Promise<Report> {
  const theirs = await startInfluxd();
  const ours = await new TestStore().open();
  const findings: Finding[] = [];
  let refused = 0;
  let withRows = 0;
  let withErrors = 0;
  const judge = (what: string, a: string, b: string): void => {
    if (!sameAnswer(a, b)) findings.push({ what, ours: a, theirs: b });
  };
  const askTheirs = async (q: string): Promise<string> => {
    const body = new URLSearchParams({ q, db: DATABASE, epoch: 'ns' });
    return (await (await fetch(`${theirs.url}/query`, { method: 'POST', body })).text()).trim();
  };
  try {
    for (const name of [DATABASE, BAD_DATABASE]) {
      await askTheirs(`CREATE DATABASE ${name}`);
      await ours.query(`CREATE DATABASE ${name}`);
    }
    for (let i = 0; i < batches; i++) {
      const { body, precision, isBad } = batchOf(seed * QUERY_SEEDS * 2, i);
      const database = isBad ? BAD_DATABASE : DATABASE;
      const url = `${theirs.url}/write?db=${database}&precision=${precision}`;
      const response = await fetch(url, { method: 'POST', body });
      const a = await ours.write(database, body, { precision });
      if (response.status !== 204) refused++;
      judge(
        `write ${i} (${precision}):\n${body}`,
        `${a.status} ${a.text.trim()}`,
        `${response.status} ${(await response.text()).trim()}`,
      );
    }
    for (let i = 0; i < queries; i++) {
      if (only !== undefined && i !== only) continue;
      const statement = statementOf(seed * QUERY_SEEDS * 2 + QUERY_SEEDS + i);
      const b = await askTheirs(statement);
      if (b.includes('"values"')) withRows++;
      if (b.includes('"error"')) withErrors++;
      judge(
        `query ${i}: ${statement}`,
        await ours.query(statement, { db: DATABASE, epoch: 'ns' }),
        b,
      );
    }
  } finally {
    await ours.close();
    await theirs.end();
  }
  return { batches, refused, queries, withRows, withErrors, findings };
}

/** What is wrong with a run; empty for a good one. One that compared next to nothing is not good. */
export function failuresOf({ findings, queries, withRows, refused, batches }: Report): string[] {
  const failures = findings.map(
    ({ what, ours, theirs }) =>
      `${what}\n  ours   ${ours.slice(0, 1_500)}\n  theirs ${theirs.slice(0, 1_500)}`,
  );
  if (withRows < queries / 3) failures.push(`only ${withRows} of ${queries} queries had rows`);
  if (refused < batches / 20) failures.push(`only ${refused} of ${batches} batches were refused`);
  return failures;
}

export function summaryOf(report: Report): string[] {
  return [
    `${report.batches} batches, ${report.refused} refused in whole or part`,
    `${report.queries} queries, ${report.withRows} with rows, ${report.withErrors} with an error`,
    `${report.findings.length} not alike`,
  ];
}
