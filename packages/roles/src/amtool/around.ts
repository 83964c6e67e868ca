import type { MatcherMode } from '@pollux/alertmanager';
import type { CommandContext } from '../command/command.ts';
import type { Call } from '../command/command-line.ts';
import { ALERTMANAGER_VERSION } from '../runtime/role.ts';
import { type ApiRequest, callApi, type Operation } from './api.ts';
import { type Settings, settingsOf } from './settings.ts';

/** What amtool's subcommands share. Settings are read on demand: one that needs no server must not fail for them. */
export type Around = {
  readonly context: CommandContext;
  readonly settings: (call: Call) => Settings;
  /** Asks the server, and before the first question whether its version is amtool's. */
  readonly api: (call: Call, operation: Operation, request: ApiRequest) => Promise<unknown>;
  /** How matchers are read, by `--enable-feature`. */
  readonly matcherMode: (call: Call) => MatcherMode;
};

export function aroundOf(context: CommandContext): Around {
  let known: Settings | null = null;
  let isVersionChecked = false;
  const settings = (call: Call): Settings => {
    known ??= settingsOf(call, context);
    return known;
  };
  const api: Around['api'] = async (call, operation, request) => {
    if (!isVersionChecked) {
      isVersionChecked = true;
      if (settings(call).checksVersion) await warnOfVersion(context, settings(call));
    }
    return callApi(settings(call), operation, request);
  };
  return { context, settings, api, matcherMode: (call) => settings(call).matcherMode };
}

const STATUS: Operation = { method: 'GET', template: '/status', name: 'getStatus' };

/** A server that does not tell its version is none to warn of: the question itself will say what is wrong. */
async function warnOfVersion(context: CommandContext, settings: Settings): Promise<void> {
  const status = await callApi(settings, STATUS, { path: '/status' }).catch(() => null);
  const version = versionOf(status);
  if (version === null || minorOf(version) === minorOf(ALERTMANAGER_VERSION)) return;
  context.stderr.write(
    `Warning: amtool version (${ALERTMANAGER_VERSION}) and alertmanager version (${version}) are different.\n`,
  );
}

function versionOf(status: unknown): string | null {
  const { versionInfo } = (status ?? {}) as {
    readonly versionInfo?: { readonly version?: unknown };
  };
  return typeof versionInfo?.version === 'string' ? versionInfo.version : null;
}

/** `0.34` of `0.34.0`. */
function minorOf(version: string): string {
  return /^\d+\.\d+/.exec(version)?.[0] ?? '';
}
