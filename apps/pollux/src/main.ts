import { hostname } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { defined, errorText, OperatingError } from '@pollux/base';
import { garbageCollector, lockDirectory, nodeEnv } from '@pollux/base/node';
import {
  helpText,
  type OwnProcess,
  parseFlags,
  type RoleModule,
  type RunningRole,
  registerProcessMetrics,
  VERSION,
} from '@pollux/roles';
import { Log, type LogFormat, type LogLevel, Registry } from '@pollux/telemetry';
import { commandContext } from './command-context.ts';
import { COMMANDS } from './commands.ts';
import { setEngineFlags } from './engine-flags.ts';
import { ALIASES, BUSY_YOUNG_MIB, ENGINE_FLAGS, ROLES } from './roles.ts';
import { keepHeapSmall } from './small-heap.ts';
import { growYoungGenerationWhenBusy } from './young-generation.ts';

/** A clean stop must be over by then; a role that hangs is left to the kernel. */
const STOP_TIMEOUT_MS = 10_000;

/** Runs the program with the arguments after its own name; `calledAs` is the name it was started by. */
export async function main(calledAs: string, args: readonly string[]): Promise<void> {
  const alias = ALIASES[path.basename(calledAs)];
  const [first = '', ...rest] = args;
  const name = alias ?? first;
  const roleArgs = alias === undefined ? rest : args;
  if (name === '--version' || name === 'version') {
    process.stdout.write(`pollux, version ${VERSION}\n`);
    return;
  }
  if (Object.hasOwn(COMMANDS, name)) {
    process.exitCode = await runCommand(name, roleArgs);
    return;
  }
  const load = Object.hasOwn(ROLES, name) ? ROLES[name] : undefined;
  if (load === undefined) {
    const isHelp = name === '' || name === '--help' || name === 'help';
    process[isHelp ? 'stdout' : 'stderr'].write(usage(isHelp ? '' : name));
    process.exitCode = isHelp ? 0 : 2;
    return;
  }
  setEngineFlags(ENGINE_FLAGS[name] ?? []);
  const { role } = await load();
  try {
    await runRole(role, roleArgs);
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    process.stderr.write(`pollux ${role.name}: ${errorText(error)}\n`);
    // Parts that were already at work must not keep a process alive that could not start.
    process.exit(1);
  }
}

/** Runs a command to its end and gives its exit status. */
async function runCommand(name: string, args: readonly string[]): Promise<number> {
  const { command } = await defined(COMMANDS[name], 'a name of the table')();
  const env = nodeEnv();
  try {
    return await command.run(commandContext(env), args);
  } finally {
    await env.net.close();
  }
}

async function runRole(role: RoleModule, args: readonly string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(helpText(role.usage, role.flags));
    return;
  }
  if (args.includes('--version')) {
    process.stdout.write(`${role.version}\n`);
    return;
  }
  const { values, given } = parseFlags(role.flags, args);
  const log = new Log({
    level: values['log.level'] as LogLevel,
    format: values['log.format'] as LogFormat,
    now: () => Date.now(),
    write: (line) => process.stderr.write(`${line}\n`),
  });
  const env = nodeEnv();
  const registry = new Registry();
  registerProcessMetrics(registry, Date.now());
  // Unheard, the signal would end a process that is still replaying its log. The files are read at the start anyway.
  const early = (): void => log.warn('not started yet: SIGHUP is left out');
  process.on('SIGHUP', early);
  const running = await role.start(
    {
      env,
      log,
      registry,
      lock: lockDirectory,
      variables: process.env,
      hostname: hostname(),
      processId: process.pid,
      print: (text) => process.stdout.write(text),
    },
    values,
    given,
  );
  // Asked for before the ready line is out: who reads it may end or reload this process at once.
  const asked = untilAskedToEnd(running, log);
  process.off('SIGHUP', early);
  if (running.address !== null) {
    const { host, port } = running.address;
    const shown = host.includes(':') ? `[${host}]` : host;
    log.info('ready', { role: role.name, address: `http://${shown}:${port}` });
  }
  keepHeapSmall();
  const busyYoungMib = BUSY_YOUNG_MIB[role.name];
  if (busyYoungMib !== undefined) growYoungGenerationWhenBusy(busyYoungMib);
  void running.warmUp?.(ownProcess());
  await asked;
  const cut = setTimeout(() => {
    log.error('the clean stop took too long', { timeout_ms: STOP_TIMEOUT_MS });
    process.exit(1);
  }, STOP_TIMEOUT_MS);
  await running.close();
  await env.net.close();
  clearTimeout(cut);
  log.info('stopped', { role: role.name });
  process.exit(0);
}

function ownProcess(): OwnProcess {
  return {
    busyMs: () => performance.eventLoopUtilization().active,
    processorMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000;
    },
    collect: garbageCollector(),
  };
}

/** Waits for SIGTERM, SIGINT or an inner request to end; SIGHUP loads the files again meanwhile, SIGUSR1 opens log files anew. */
function untilAskedToEnd(running: RunningRole, log: Log): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
    process.on('SIGHUP', () => {
      running.reload().then(
        () => log.info('configuration loaded again'),
        (error: unknown) =>
          log.error('loading the configuration again failed', { err: errorText(error) }),
      );
    });
    // A role without log files must not be ended by it either: unheard, the signal opens the debugger's port.
    process.on('SIGUSR1', () => running.reopenLogs?.());
    void running.quit.then(resolve);
    if (process.env.POLLUX_SUPERVISED === '1') process.stdin.resume().once('end', resolve);
  });
}

function usage(unknown: string): string {
  const lines = unknown === '' ? [] : [`pollux: unknown role or command "${unknown}"`, ''];
  lines.push(
    'usage: pollux ROLE|COMMAND [flags]',
    '',
    `roles: ${Object.keys(ROLES).join(', ')}`,
    `commands: ${Object.keys(COMMANDS).join(', ')}`,
    '',
    'pollux ROLE --help shows the flags of a role, pollux COMMAND --help those of a command; pollux up runs the whole pair on this machine.',
    '',
  );
  return lines.join('\n');
}
