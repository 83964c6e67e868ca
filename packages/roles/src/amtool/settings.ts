import type { MatcherMode } from '@pollux/alertmanager';
import { errorText, type Files, type Headers, type Net, OperatingError } from '@pollux/base';
import { type ConfigNode, parseYaml, strictContext } from '@pollux/config';
import { clientSettings, type HttpConfig, HttpConfigClient, httpConfig } from '@pollux/http';
import {
  FEATURE_NAMES,
  type Feature,
  featuresOf,
  matcherModeOf,
} from '../alertmanager/features.ts';
import type { CommandContext } from '../command/command.ts';
import { type Call, type CommandFlags, UsageError } from '../command/command-line.ts';
import { goDurationMs } from '../command/go-duration.ts';
import { parsedUrl, urlBelow } from '../command/http-call.ts';
import { readTextFile } from '../runtime/read-file.ts';
import { resolverOf } from '../server/config.ts';

export type OutputFormat = 'simple' | 'extended' | 'json';

/** Flags that every subcommand takes; each may stand in the configuration file instead. */
export const GLOBAL_FLAGS: CommandFlags = {
  'date.format': { kind: 'text', help: 'Format of date output (a Go layout; times are UTC).' },
  verbose: { kind: 'switch', short: 'v', help: 'Verbose running information.' },
  'alertmanager.url': { kind: 'text', help: 'Alertmanager to talk to.' },
  output: {
    kind: 'choice',
    short: 'o',
    choices: ['simple', 'extended', 'json'],
    help: 'Output formatter (simple, extended, json).',
  },
  timeout: { kind: 'text', help: 'Timeout for the executed command (30s).' },
  'http.config.file': { kind: 'text', help: 'HTTP client configuration file.' },
  'version-check': {
    kind: 'switch',
    help: 'Warn when the version of the Alertmanager is another one (on; --no-version-check).',
  },
  'enable-feature': {
    kind: 'text',
    help: `Experimental features, comma separated: ${FEATURE_NAMES.join(', ')}.`,
  },
};

export type Settings = {
  readonly server: string;
  readonly output: OutputFormat;
  readonly dateFormat: string;
  readonly timeoutMs: number;
  /** Empty: the login name. */
  readonly author: string;
  readonly requiresComment: boolean;
  /** Of the address: its user and password. */
  readonly headers: Headers;
  /** Asks as the file of `--http.config.file` says. */
  readonly net: Pick<Net, 'request'>;
  readonly checksVersion: boolean;
  readonly matcherMode: MatcherMode;
};

/** Without a word of the caller. */
const MAX_ANSWER_BYTES = 1024 * 1024 * 1024;
const DEFAULT_DATE_FORMAT = '2006-01-02 15:04:05 MST';

/** What the flags say, else the configuration files, else the default. Throws UsageError and ConfigError. */
export function settingsOf(call: Call, context: CommandContext): Settings {
  const files = context.env.files;
  const configured = configuredFlags(files, context.variables.HOME ?? '');
  const pick = (name: string, fallback: string): string =>
    call.has(name) ? call.text(name) : (configured.get(name) ?? fallback);
  const output = pick('output', 'simple');
  if (!isOutput(output))
    throw new UsageError(`enum value must be one of simple,extended,json, got '${output}'`);
  const address = pick('alertmanager.url', '');
  const url = parsedUrl(
    address.includes('://') ? address : `http://${address || 'localhost:9093'}`,
  );
  return {
    server: urlBelow(`${url.protocol}//${url.host}${url.pathname}`, ''),
    output,
    dateFormat: pick('date.format', DEFAULT_DATE_FORMAT),
    timeoutMs: goDurationMs(pick('timeout', '30s')),
    author: pick('author', ''),
    requiresComment: pick('require-comment', pick('comment_required', 'true')) !== 'false',
    headers: credentials(url),
    net: clientNet(context, pick('http.config.file', '')),
    checksVersion: pick('version-check', 'true') !== 'false',
    matcherMode: matcherModeOf(featuresOf(pick('enable-feature', ''))),
  };
}

/** Throws UsageError for names that are none. */
export function amtoolFeatures(call: Call): ReadonlySet<Feature> {
  try {
    return featuresOf(call.text('enable-feature'));
  } catch (error) {
    throw new UsageError(`error parsing the feature flag list: ${errorText(error)}`);
  }
}

/** Settings of the first configuration file that gives them: the person's own goes before the machine's. */
function configuredFlags(files: Files, home: string): ReadonlyMap<string, string> {
  const configured = new Map<string, string>();
  const folders = home === '' ? ['/etc'] : [`${home}/.config`, '/etc'];
  for (const folder of folders) {
    for (const path of [`${folder}/amtool/config.yml`, `${folder}/prometheus/amtool.yml`]) {
      if (!files.exists(path)) continue;
      for (const [name, value] of scalars(parseYaml(readTextFile(files, path), path))) {
        if (!configured.has(name)) configured.set(name, value);
      }
    }
  }
  return configured;
}

function scalars(node: ConfigNode): readonly (readonly [string, string])[] {
  if (node.kind !== 'map') return [];
  return node.entries.flatMap(({ key, value }) =>
    value.kind === 'scalar' ? [[key, value.text] as const] : [],
  );
}

/** Without a file, a proxy of the environment is used, as Go's programs do. */
function clientNet({ env, variables }: CommandContext, file: string): Pick<Net, 'request'> {
  const text = file === '' ? 'proxy_from_environment: true' : clientText(env.files, file);
  const config = httpConfig(parseYaml(text, file), '', strictContext());
  const resolvePath = resolverOf(file);
  checkFiles(config, env.files, { file, resolvePath });
  const client = new HttpConfigClient({ ...env, config, resolvePath, variables });
  const never = new AbortController().signal;
  return {
    request: ({ maxBodyBytes = MAX_ANSWER_BYTES, signal = never, ...asked }) =>
      client.request({ ...asked, maxBodyBytes, signal }),
  };
}

function clientText(files: Files, file: string): string {
  if (!files.exists(file)) throw new UsageError(`path '${file}' does not exist`);
  return readTextFile(files, file);
}

/** Throws where a file that the settings name cannot be read. */
function checkFiles(
  config: HttpConfig,
  files: Files,
  { file, resolvePath }: { readonly file: string; readonly resolvePath: (name: string) => string },
): void {
  try {
    clientSettings(config, files, resolvePath);
  } catch (cause) {
    throw new OperatingError('ROLES.CLIENT_CONFIG', `${file}: a file that it names`, { cause });
  }
}

/** `http://user:password@host` as basic authentication. */
function credentials(url: URL): Headers {
  if (url.username === '') return {};
  const plain = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(plain).toString('base64')}` };
}

function isOutput(text: string): text is OutputFormat {
  return text === 'simple' || text === 'extended' || text === 'json';
}
