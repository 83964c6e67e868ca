import { type StopSignal, sleep } from '@pollux/base';
import type { CommandContext } from '../../command/command.ts';
import { Progress } from '../../command/progress.ts';
import { fieldsOf, queriesOf, type Unit } from './influx-contents.ts';
import { type InfluxServer, isPassing } from './influx-server.ts';
import { type FieldType, pointLines } from './point-lines.ts';

const BATCH_LINES = 5_000;
const BATCH_CHARS = 4 * 1024 * 1024;
const UNIT_ATTEMPTS = 5;
const UNIT_PAUSE_MS = 3_000;

/** Where lines go. Resolves when they are safe there. */
export type LineSink = (unit: Unit, lines: readonly string[]) => Promise<void>;

export type ReadSummary = {
  points: number;
  /** Points of series whose names line protocol cannot say. */
  unwritable: number;
  /** Fields that are whole numbers in one shard group and floats in another: written as floats. */
  readonly mixed: Set<string>;
};

type ReadOptions = {
  readonly context: CommandContext;
  readonly server: InfluxServer;
  readonly units: readonly Unit[];
  readonly what: string;
  readonly signal: StopSignal;
  readonly sink: LineSink;
  readonly isDone?: (unit: Unit) => boolean;
  readonly onDone?: (unit: Unit) => void;
};

/**
 * Reads unit after unit and hands its points over in batches; a batch and a piece of the answer are held at a time. A unit whose answer
 * breaks off is read again from its start: points that come twice are stored once.
 */
export async function readUnits(options: ReadOptions): Promise<ReadSummary> {
  const { context, server, units, what, signal, onDone } = options;
  const summary: ReadSummary = { points: 0, unwritable: 0, mixed: new Set() };
  const progress = new Progress(context);
  const fields = new Map<string, readonly (readonly [string, FieldType])[]>();
  for (const [i, unit] of units.entries()) {
    signal.throwIfAborted();
    const detail = (): string => `${summary.points} points, ${unit.database} ${unit.start}`;
    progress.at(what, i, units.length, detail);
    if (options.isDone?.(unit) === true) continue;
    const key = JSON.stringify([unit.database, unit.policy, unit.measurement]);
    const known = fields.get(key) ?? (await fieldsOf(server, unit));
    fields.set(key, known);
    for (let attempt = 1; ; attempt++) {
      try {
        const read = await readUnit(options, unit, known, (points) =>
          progress.at(what, i, units.length, () => `${summary.points + points} points`),
        );
        summary.points += read.points;
        summary.unwritable += read.unwritable;
        for (const name of read.mixed) summary.mixed.add(`${unit.measurement}.${name}`);
        break;
      } catch (error) {
        if (!isPassing(error) || attempt === UNIT_ATTEMPTS) throw error;
        await sleep(context.env.clock, UNIT_PAUSE_MS, signal);
      }
    }
    onDone?.(unit);
  }
  progress.clear();
  return summary;
}

async function readUnit(
  { server, sink, signal }: ReadOptions,
  unit: Unit,
  fields: readonly (readonly [string, FieldType])[],
  onBatch: (points: number) => void,
): Promise<{ points: number; unwritable: number; mixed: readonly string[] }> {
  const { queries, mixed } = queriesOf(unit, fields);
  let batch: string[] = [];
  let chars = 0;
  let points = 0;
  let unwritable = 0;
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    const lines = batch;
    batch = [];
    chars = 0;
    await sink(unit, lines);
    points += lines.length;
    onBatch(points);
  };
  for (const { statement, types } of queries) {
    for await (const row of server.rows(unit.database, statement)) {
      signal.throwIfAborted();
      const lines = pointLines(row, types);
      if (lines === null) {
        unwritable += row.values.length;
        continue;
      }
      for (const line of lines) {
        batch.push(line);
        chars += line.length;
        if (batch.length >= BATCH_LINES || chars >= BATCH_CHARS) await flush();
      }
    }
  }
  await flush();
  return { points, unwritable, mixed };
}

/** What the reader of a summary must know; each is a line for stderr. */
export function remarksOf({ unwritable, mixed }: ReadSummary): string[] {
  const remarks: string[] = [];
  if (unwritable > 0)
    remarks.push(`${unwritable} points were left out: line protocol cannot say their names`);
  for (const name of mixed)
    remarks.push(
      `${name} is a whole number in one shard group and a float in another: all are floats`,
    );
  return remarks;
}
