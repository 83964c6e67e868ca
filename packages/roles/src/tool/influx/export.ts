import { gzipSync } from 'node:zlib';
import { type File, OperatingError, systemCode } from '@pollux/base';
import type { CommandContext } from '../../command/command.ts';
import { type Call, type Subcommand, UsageError } from '../../command/command-line.ts';
import { creationOf, databasesOf, unitsOf } from './influx-contents.ts';
import { InfluxServer } from './influx-server.ts';
import { readUnits, remarksOf } from './read-units.ts';
import { SOURCE_FLAGS, wantedOf } from './wanted.ts';

export const influxExport: Subcommand<CommandContext> = {
  words: ['influx', 'export'],
  help: 'Write databases of a running InfluxDB 1.x or store to a file of statements and points, in the form of `influx_inspect export`; `influx -import` reads it.',
  flags: {
    ...SOURCE_FLAGS,
    out: { kind: 'text', isRequired: true, help: 'File to make, or - for standard output.' },
    compress: { kind: 'switch', help: 'Compress with gzip.' },
    lponly: { kind: 'switch', help: 'Points only, without statements and contexts.' },
  },
  run: (call, context) => context.interruptible((signal) => exportAll(call, context, signal)),
};

async function exportAll(
  call: Call,
  context: CommandContext,
  signal: AbortSignal,
): Promise<number> {
  const wanted = wantedOf(call);
  const server = new InfluxServer(context, call.text('from'), signal);
  const isBare = call.isOn('lponly');
  // Standard output holds texts only.
  if (call.text('out') === '-' && call.isOn('compress'))
    throw new UsageError('--compress needs a file; pipe standard output through gzip');
  const out = new ExportFile(context, call.text('out'), call.isOn('compress'));
  try {
    const databases = await databasesOf(server, wanted);
    if (!isBare) {
      await out.write(
        `# INFLUXDB EXPORT: ${wanted.start || '1677-09-21T00:12:43Z'} - ${wanted.end || '2262-04-11T23:47:16Z'}\n# DDL\n`,
      );
      for (const database of databases)
        await out.write(`${creationOf(database, database.name, null).join('\n')}\n`);
      await out.write('# DML\n');
    }
    let head = '';
    const summary = await readUnits({
      context,
      server,
      units: await unitsOf(server, databases, wanted),
      what: 'exporting',
      signal,
      sink: async ({ database, policy }, lines) => {
        const heads = `# CONTEXT-DATABASE:${database}\n# CONTEXT-RETENTION-POLICY:${policy}\n`;
        if (!isBare && heads !== head) await out.write(heads);
        head = heads;
        await out.write(`${lines.join('\n')}\n`);
      },
    });
    await out.finish();
    context.stderr.write(`exported ${summary.points} points\n`);
    for (const remark of remarksOf(summary)) context.stderr.write(`${remark}\n`);
    return 0;
  } finally {
    out.close();
    await server.close();
  }
}

/** Each text is a gzip member of its own where the file is compressed, so that none is held for another. */
class ExportFile {
  readonly #context: CommandContext;
  readonly #file: File | null;
  readonly #compresses: boolean;

  /** An existing file is not overwritten. */
  constructor(context: CommandContext, path: string, compresses: boolean) {
    this.#context = context;
    this.#compresses = compresses;
    this.#file = path === '-' ? null : created(context, path);
  }

  async write(text: string): Promise<void> {
    if (this.#file === null) {
      this.#context.stdout.write(text);
      await this.#context.stdout.drained();
      return;
    }
    const bytes = this.#compresses ? gzipSync(text) : new TextEncoder().encode(text);
    this.#file.write(bytes, 0, bytes.length, null);
  }

  async finish(): Promise<void> {
    await this.#file?.datasync();
  }

  close(): void {
    this.#file?.close();
  }
}

function created({ env }: CommandContext, path: string): File {
  try {
    return env.files.open(path, 'wx');
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    throw new OperatingError('ROLES.INFLUX_EXPORT', `${path} is there already; name another file`);
  }
}
