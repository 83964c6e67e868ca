import { OperatingError } from '@pollux/base';
import type { CommandContext } from '../command/command.ts';
import type { CommandFlags, Subcommand } from '../command/command-line.ts';
import { bodyText, callServer, urlBelow } from '../command/http-call.ts';

const TIMEOUT_MS = 30_000;
const FLAGS: CommandFlags = {
  url: { kind: 'text', fallback: 'http://localhost:9090', help: 'The URL of the server.' },
};

export const checkHealthy = serverCheck('healthy', 'Check if the server is healthy.');
export const checkReady = serverCheck('ready', 'Check if the server is ready.');

function serverCheck(word: 'healthy' | 'ready', help: string): Subcommand<CommandContext> {
  return {
    words: ['check', word],
    help,
    flags: FLAGS,
    run: async (call, { env, stderr }) => {
      const url = urlBelow(call.text('url'), `/-/${word}`);
      try {
        const response = await callServer(env.net, { method: 'GET', url, timeoutMs: TIMEOUT_MS });
        if (response.status !== 200) {
          stderr.write(`check failed: URL=${call.text('url')}, status=${response.status}\n`);
          return 1;
        }
        stderr.write(`  SUCCESS:  ${bodyText(response)}\n`);
        return 0;
      } catch (error) {
        if (!OperatingError.is(error)) throw error;
        stderr.write(`${error.message}\n`);
        return 1;
      }
    },
  };
}
