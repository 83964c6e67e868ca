import type { CommandContext } from '../../command/command.ts';
import { type Call, type Subcommand, UsageError } from '../../command/command-line.ts';
import { DoneUnits } from './done-units.ts';
import { column, creationOf, databasesOf, quoted, unitsOf } from './influx-contents.ts';
import { InfluxServer } from './influx-server.ts';
import { readUnits, remarksOf } from './read-units.ts';
import { SOURCE_FLAGS, wantedOf } from './wanted.ts';

export const influxCopy: Subcommand<CommandContext> = {
  words: ['influx', 'copy'],
  help: 'Copy databases with their retention policies from a running InfluxDB 1.x or store to another, over HTTP. Broken off, it goes on by its state file.',
  flags: {
    ...SOURCE_FLAGS,
    to: { kind: 'text', isRequired: true, help: 'Server to write to, in the form of --from.' },
    as: { kind: 'text', help: 'Name of the copy, of one database.' },
    state: {
      kind: 'text',
      help: 'File that keeps what is done; the same command with the same file goes on from there.',
    },
  },
  run: (call, context) => context.interruptible((signal) => copy(call, context, signal)),
};

async function copy(call: Call, context: CommandContext, signal: AbortSignal): Promise<number> {
  const wanted = wantedOf(call);
  const as = call.text('as');
  if (as !== '' && wanted.databases.length !== 1)
    throw new UsageError('--as needs one --database whose copy it names');
  const from = new InfluxServer(context, call.text('from'), signal);
  const to = new InfluxServer(context, call.text('to'), signal);
  const done = DoneUnits.open(context.env.files, call.text('state'), {
    from: from.shown,
    to: to.shown,
    as,
  });
  const refused = { batches: 0, first: '' };
  try {
    const databases = await databasesOf(from, wanted);
    const nameOf = (name: string): string => (as === '' ? name : as);
    const known = column(await to.query('SHOW DATABASES'), 'name');
    for (const database of databases) {
      const name = nameOf(database.name);
      const policies = known.includes(name)
        ? column(await to.query(`SHOW RETENTION POLICIES ON ${quoted(name)}`), 'name')
        : null;
      for (const statement of creationOf(database, name, policies)) await to.query(statement);
    }
    const summary = await readUnits({
      context,
      server: from,
      units: await unitsOf(from, databases, wanted),
      what: 'copying',
      signal,
      sink: async (unit, lines) => {
        const refusal = await to.write(nameOf(unit.database), unit.policy, lines.join('\n'));
        if (refusal === null) return;
        refused.batches++;
        if (refused.first === '') refused.first = refusal;
      },
      isDone: (unit) => done.has(unit),
      onDone: (unit) => done.add(unit),
    });
    context.stdout.write(`copied ${summary.points} points\n`);
    for (const remark of remarksOf(summary)) context.stderr.write(`${remark}\n`);
    if (refused.batches === 0) return 0;
    context.stderr.write(
      `${refused.batches} batches were not taken whole, the first: ${refused.first.slice(0, 1_000)}\n`,
    );
    return 1;
  } finally {
    done.close();
    await from.close();
    await to.close();
  }
}
