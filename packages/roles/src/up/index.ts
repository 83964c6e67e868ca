import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Env, OperatingError, sleep } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import { LOG_FLAGS } from '../flags/flags.ts';
import { type RoleModule, VERSION } from '../runtime/role.ts';
import { type Command, pairCommands } from './commands.ts';
import { addressOf, findLayout, type Layout } from './layout.ts';
import { renderPair } from './render.ts';
import { Supervisor } from './supervisor.ts';

export { type Command, pairCommands } from './commands.ts';
export { addressOf, findLayout, HOSTS, type HostName, type Layout } from './layout.ts';
export { type RenderedPair, renderPair } from './render.ts';
export { Supervisor } from './supervisor.ts';

const READY_TIMEOUT_MS = 60_000;
const COLOURS = [36, 32, 33, 35, 34, 96, 92, 93, 95, 94];

const FLAGS = {
  data: {
    kind: 'string',
    fallback: 'pollux-data',
    help: 'Directory for configurations and data of both hosts.',
  },
  examples: {
    kind: 'string',
    fallback: '',
    help: 'Directory of the example files to render; the shipped ones when empty.',
  },
  ...LOG_FLAGS,
} as const;

/** The whole pair on this machine, every part a process of its own. */
export const role: RoleModule<typeof FLAGS> = {
  name: 'up',
  usage: 'pollux up [flags]',
  version: `pollux up, version ${VERSION}`,
  flags: FLAGS,
  start: async ({ env, log, lock }, values) => {
    const program = programPath();
    const examples =
      values.examples === ''
        ? path.join(path.dirname(program), '..', 'examples', 'pair')
        : values.examples;
    const directory = path.resolve(values.data);
    // Before anything is written: a second pair would put its own ports into the files of the first.
    const unlock = lock(directory);
    const layout = await findLayout(false);
    for (const note of layout.notes) log.warn(note);
    const pair = renderPair(examples, directory, layout);
    log.info('configuration files are written', { directory });
    const commands = pairCommands({ layout, pair });
    const supervisor = new Supervisor({
      clock: env.clock,
      program: [process.execPath, program],
      commands,
      onLine: linePrinter(commands),
      restarts: true,
    });
    supervisor.startAll();
    const stop = new AbortController();
    void announce(env, log, { layout, commands, signal: stop.signal });
    return {
      address: null,
      reload: async () => {
        for (const { name } of commands) supervisor.signal(name, 'SIGHUP');
      },
      close: async () => {
        stop.abort();
        await supervisor.stopAll();
        unlock();
      },
      quit: new Promise(() => {}),
    };
  },
};

/** The script in `bin/`, found from where this file lies, so that it works from any directory. */
export function programPath(): string {
  return path.resolve(
    path.dirname(fileURLToPath(import.meta.url)),
    '..',
    '..',
    '..',
    '..',
    'bin',
    'pollux',
  );
}

/** Resolves once every part answers; rejects with the names of those that do not in time. */
export async function untilReady(
  env: Env,
  commands: readonly Command[],
  signal: AbortSignal,
  timeoutMs = READY_TIMEOUT_MS,
): Promise<void> {
  const endMs = env.clock.monotonic() + timeoutMs;
  let waiting = commands;
  while (waiting.length > 0) {
    const states = await Promise.all(waiting.map((command) => isReady(env, command, signal)));
    waiting = waiting.filter((_, index) => !states[index]);
    if (waiting.length === 0) return;
    if (env.clock.monotonic() > endMs) {
      const names = waiting.map(({ name }) => name).join(', ');
      throw new OperatingError(
        'ROLES.NOT_READY',
        `not ready after ${timeoutMs / 1_000} s: ${names}`,
      );
    }
    await sleep(env.clock, 200, signal);
  }
}

async function isReady(env: Env, command: Command, signal: AbortSignal): Promise<boolean> {
  try {
    const url = `http://${command.address}${command.readyPath}`;
    const { status } = await env.net.request({ method: 'GET', url, timeoutMs: 1_000, signal });
    return status < 300;
  } catch {
    // Not up yet is what this loop waits for.
    return false;
  }
}

async function announce(
  env: Env,
  log: Log,
  pair: {
    readonly layout: Layout;
    readonly commands: readonly Command[];
    readonly signal: AbortSignal;
  },
): Promise<void> {
  try {
    await untilReady(env, pair.commands, pair.signal);
  } catch (error) {
    if (!pair.signal.aborted) log.error('the pair did not come up whole', { err: String(error) });
    return;
  }
  const rows = pair.commands.map(({ name, address }) => `  ${name.padEnd(18)} http://${address}`);
  const gateway = addressOf(pair.layout, 'gateway');
  process.stdout.write(
    [
      '',
      'The pair is up:',
      ...rows,
      '',
      `  messages sent      http://${addressOf(pair.layout, 'sink')}/`,
      `  console            http://${gateway}/`,
      '',
      '',
    ].join('\n'),
  );
}

/** One log for all: the process' name in front, in its own colour on a terminal. */
function linePrinter(commands: readonly Command[]): (name: string, line: string) => void {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const isTerminal = process.stdout.isTTY === true;
  const colour = new Map(commands.map(({ name }, i) => [name, COLOURS[i % COLOURS.length]]));
  return (name, line) => {
    const label = name.padEnd(width);
    const shown = isTerminal ? `\u001b[${colour.get(name) ?? 0}m${label}\u001b[0m` : label;
    process.stdout.write(`${shown} | ${line}\n`);
  };
}
