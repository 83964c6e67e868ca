import { InputError } from '@pollux/base';

/** What the command line of the shell said. */
export type InfluxFlags = {
  readonly host: string;
  readonly port: number;
  readonly pathPrefix: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  /** `-password ''` asks for one at the terminal. */
  readonly asksPassword: boolean;
  readonly isTls: boolean;
  readonly isUnsafeTls: boolean;
  readonly execute: string;
  readonly format: string;
  readonly precision: string;
  readonly consistency: string;
  readonly isPretty: boolean;
  readonly node: string;
  readonly isImport: boolean;
  /** Of the file to import. */
  readonly path: string;
  readonly isCompressed: boolean;
  /** 0 = no limit. */
  readonly pointsPerSecond: number;
};

/** Wrong arguments: the usage is shown and the exit status is 2. */
export class InfluxFlagError extends InputError {
  constructor(message: string) {
    super('ROLES.INFLUX_FLAG', '', message);
  }
}

/** Name and default; `switch` ones take no value. */
const TEXTS: Readonly<Record<string, string>> = {
  host: 'localhost',
  port: '8086',
  'path-prefix': '',
  database: '',
  username: '',
  password: '',
  execute: '',
  format: 'column',
  precision: 'ns',
  consistency: 'all',
  type: 'influxql',
  node: '',
  path: '',
  pps: '0',
};
const SWITCHES = new Set([
  'ssl',
  'unsafeSsl',
  'pretty',
  'import',
  'compressed',
  'version',
  'help',
  'h',
]);
/** Known to the original and refused here by name, rather than ignored. */
const UNSERVED = new Set(['socket']);

export type FlagReading =
  | { readonly kind: 'version' }
  | { readonly kind: 'help' }
  | { readonly kind: 'flags'; readonly flags: InfluxFlags };

/** Reads Go's flags: one or two dashes, `-name value` or `-name=value`. Throws InfluxFlagError. */
export function readInfluxFlags(
  args: readonly string[],
  variables: Readonly<Record<string, string | undefined>>,
): FlagReading {
  const given = new Map<string, string>();
  let i = 0;
  for (; i < args.length; i++) {
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(args[i]!);
    if (match === null) break;
    const [, name = '', inline] = match;
    if (UNSERVED.has(name)) {
      throw new InfluxFlagError(
        `flag -${name} is not supported yet; supported: ${[...Object.keys(TEXTS), ...SWITCHES].map((one) => `-${one}`).join(' ')}`,
      );
    }
    if (SWITCHES.has(name)) given.set(name, inline ?? 'true');
    else if (!Object.hasOwn(TEXTS, name))
      throw new InfluxFlagError(`flag provided but not defined: -${name}`);
    else {
      const value = inline ?? args[++i];
      if (value === undefined) throw new InfluxFlagError(`flag needs an argument: -${name}`);
      given.set(name, value);
    }
  }
  if (given.has('help') || given.has('h')) return { kind: 'help' };
  if (given.has('version')) return { kind: 'version' };
  if (i < args.length) throw new InfluxFlagError(`unknown arguments: ${args.slice(i).join(' ')}`);
  return { kind: 'flags', flags: flagsOf(given, variables) };
}

function flagsOf(
  given: ReadonlyMap<string, string>,
  variables: Readonly<Record<string, string | undefined>>,
): InfluxFlags {
  const text = (name: string): string => given.get(name) ?? TEXTS[name] ?? '';
  if (!/^\d+$/.test(text('port')))
    throw new InfluxFlagError(
      `invalid value ${JSON.stringify(text('port'))} for flag -port: parse error`,
    );
  if (!/^\d+$/.test(text('pps')))
    throw new InfluxFlagError(
      `invalid value ${JSON.stringify(text('pps'))} for flag -pps: parse error`,
    );
  if (text('type') !== 'influxql') {
    throw new InfluxFlagError(`-type ${text('type')} is not supported; supported: influxql`);
  }
  return {
    host: text('host'),
    port: Number(text('port')),
    pathPrefix: text('path-prefix'),
    database: text('database'),
    username: given.get('username') ?? variables.INFLUX_USERNAME ?? '',
    password: given.get('password') ?? variables.INFLUX_PASSWORD ?? '',
    asksPassword: given.get('password') === '',
    isTls: text('ssl') === 'true',
    isUnsafeTls: text('unsafeSsl') === 'true',
    execute: text('execute'),
    format: text('format'),
    precision: text('precision'),
    consistency: text('consistency'),
    isPretty: text('pretty') === 'true',
    node: text('node'),
    isImport: text('import') === 'true',
    path: text('path'),
    isCompressed: text('compressed') === 'true',
    pointsPerSecond: Number(text('pps')),
  };
}
