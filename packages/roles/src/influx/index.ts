import { OperatingError } from '@pollux/base';
import type { Command, CommandContext, Terminal } from '../command/command.ts';
import { INFLUXDB_VERSION } from '../runtime/role.ts';
import { ping, serverUrl } from './client.ts';
import { InfluxFlagError, type InfluxFlags, readInfluxFlags } from './flags.ts';
import { readHistory, writeHistory } from './history.ts';
import { importFile } from './import.ts';
import { Shell } from './shell.ts';
import { PROGRAM_USAGE } from './texts.ts';

const MAX_STDIN_BYTES = 64 * 1024 * 1024;

/** `pollux influx`, `influx`. */
export const command: Command = {
  name: 'influx',
  usage: 'pollux influx [flags]',
  run: async (context, args) => {
    try {
      const reading = readInfluxFlags(args, context.variables);
      if (reading.kind === 'flags') return await runShell(context, reading.flags);
      context.stdout.write(
        reading.kind === 'help' ? PROGRAM_USAGE : `InfluxDB shell version: ${INFLUXDB_VERSION}\n`,
      );
      return 0;
    } catch (error) {
      if (!(error instanceof InfluxFlagError)) throw error;
      context.stderr.write(`${error.message}\n`);
      context.stdout.write(PROGRAM_USAGE);
      return 2;
    }
  },
};

async function runShell(context: CommandContext, flags: InfluxFlags): Promise<number> {
  const { env, stderr } = context;
  let version: string;
  try {
    version = await ping(env.net, flags);
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    stderr.write(
      `Failed to connect to ${serverUrl(flags)}: ${error.message}\n` +
        "Please check your connection settings and ensure 'influxd' is running.\n",
    );
    return 1;
  }
  if (flags.isImport) return exitStatus(context, await importFile(context, flags, flags));
  if (flags.execute !== '') return runLines(context, flags);
  if (context.stdin.isTerminal) return talk(context, flags, version);
  const statements = new TextDecoder().decode(await context.stdin.bytes(MAX_STDIN_BYTES));
  const outcome = await new Shell(context, flags, null).execute(statements);
  return exitStatus(context, outcome.kind === 'failed' ? outcome.error : null);
}

/** `-execute`: every line as if it were typed, up to the first that fails. */
async function runLines(context: CommandContext, flags: InfluxFlags): Promise<number> {
  const shell = new Shell(context, flags, null);
  for (const line of flags.execute.split('\n')) {
    const outcome = await shell.run(line);
    if (outcome.kind === 'failed') return exitStatus(context, outcome.error);
    if (outcome.kind === 'exit') break;
  }
  return 0;
}

async function talk(context: CommandContext, flags: InfluxFlags, version: string): Promise<number> {
  const { stdout, stderr, env, variables } = context;
  const home = variables.HOME ?? '';
  const terminal: Terminal = context.openTerminal(readHistory(env.files, home), (line) =>
    shell.completion(line),
  );
  const shell = new Shell(context, flags, terminal);
  try {
    if (flags.asksPassword) await shell.askPassword();
    stdout.write(
      `Connected to ${serverUrl(flags)} version ${version}\nInfluxDB shell version: ${INFLUXDB_VERSION}\n`,
    );
    for (;;) {
      const line = await terminal.question('> ');
      if (line === null || (await shell.run(line)).kind === 'exit') break;
    }
    const fault = writeHistory(env.files, home, terminal.history());
    if (fault !== null) stderr.write(`${fault}\n`);
    return 0;
  } finally {
    terminal.close();
  }
}

function exitStatus({ stderr }: CommandContext, error: string | null): number {
  if (error === null) return 0;
  stderr.write(`${error}\n`);
  return 1;
}
