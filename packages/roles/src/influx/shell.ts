import { OperatingError } from '@pollux/base';
import { inColumns } from '../command/columns.ts';
import type { CommandContext, Terminal } from '../command/command.ts';
import { errorOf } from './answer.ts';
import { addressText, type Connection, ping, query, serverUrl, write } from './client.ts';
import { type Completion, complete } from './complete.ts';
import type { InfluxFlags } from './flags.ts';
import { formatAnswer } from './format.ts';
import { identifiers, readInsert } from './insert.ts';
import { CLEAR_HELP, NO_DATABASE_NOTE, NO_DATABASE_WARNING, SHELL_HELP } from './texts.ts';

const COMPLETION_MS = 2_000;
const PRECISIONS = ['rfc3339', 'h', 'm', 's', 'ms', 'u', 'ns'];
const FORMATS = ['json', 'csv', 'column'];
const CONSISTENCIES = ['any', 'one', 'quorum', 'all'];

/** What one line led to. A failed query is a failure; a failed insert is told and is none, as in the original. */
export type LineOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'exit' }
  | { readonly kind: 'failed'; readonly error: string };

const DONE: LineOutcome = { kind: 'done' };

/** The shell's settings, and what its commands do with them. */
export class Shell {
  readonly #context: CommandContext;
  readonly #terminal: Terminal | null;
  #connection: Connection;
  #database: string;
  #policy = '';
  #format: string;
  #precision = 'ns';
  #consistency: string;
  #isPretty: boolean;
  #isChunked = true;
  #chunkSize = 0;
  #node: string;

  constructor(context: CommandContext, flags: InfluxFlags, terminal: Terminal | null) {
    this.#context = context;
    this.#terminal = terminal;
    this.#connection = flags;
    this.#database = flags.database;
    this.#format = flags.format;
    this.#consistency = flags.consistency;
    this.#isPretty = flags.isPretty;
    this.#node = flags.node;
    this.#setPrecision(flags.precision);
  }

  /** Runs one line as it is typed at the prompt. */
  async run(line: string): Promise<LineOutcome> {
    const words = line.trim().split(/\s+/);
    const argument = line
      .trim()
      .slice(words[0]?.length ?? 0)
      .trim();
    switch (words[0]?.toLowerCase()) {
      case '':
      case undefined:
        return { kind: 'failed', error: 'empty input' };
      case 'exit':
      case 'quit':
        return { kind: 'exit' };
      case 'insert':
        await this.#insert(argument);
        return DONE;
      case 'connect':
        return this.#connect(argument);
      case 'auth':
        await this.#authenticate();
        return DONE;
      case 'use':
        await this.#use(argument);
        return DONE;
      default:
        return this.#set(words, argument) ? DONE : this.execute(line);
    }
  }

  /** What the tabulator offers. Names that the server does not give in time are left out: who types on is not held up. */
  completion(line: string): Promise<Completion> {
    const names = async (statement: string, column: string): Promise<readonly string[]> => {
      try {
        const asked = { q: statement, db: this.#database };
        const answer = await query(this.#context.env.net, this.#connection, asked, COMPLETION_MS);
        return answer.results.flatMap(({ series }) =>
          series.flatMap(({ columns, values }) =>
            values.flatMap((row) => row[columns.indexOf(column)] ?? []).map(String),
          ),
        );
      } catch (error) {
        if (OperatingError.is(error)) return [];
        throw error;
      }
    };
    return complete(line, names);
  }

  /** Sends statements and prints what comes back. */
  async execute(statements: string): Promise<LineOutcome> {
    const { stdout, env } = this.#context;
    try {
      const answer = await query(env.net, this.#connection, this.#parameters(statements));
      const error = errorOf(answer);
      const isSilent = error !== '' && answer.results.length === 0 && this.#format !== 'json';
      const isKnown = FORMATS.includes(this.#format);
      if (!isSilent || !isKnown) stdout.write(formatAnswer(answer, this.#format, this.#isPretty));
      await stdout.drained();
      if (error === '') return DONE;
      stdout.write(`ERR: ${error}\n`);
      if (this.#database === '') stdout.write(NO_DATABASE_WARNING);
      return { kind: 'failed', error };
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      stdout.write(`ERR: ${error.message}\n`);
      return { kind: 'failed', error: error.message };
    }
  }

  /** Asks for a name and a password at the terminal. */
  async #authenticate(): Promise<void> {
    const username = (await this.#terminal?.question('username: ')) ?? null;
    if (username === null) return this.#say('Unable to process input\n');
    this.#connection = { ...this.#connection, username };
    await this.askPassword();
  }

  async askPassword(): Promise<void> {
    const password = (await this.#terminal?.question('password: ', true)) ?? null;
    if (password === null) return this.#say('Unable to parse password\n');
    this.#connection = { ...this.#connection, password };
  }

  /** Commands that only change or show settings; false when the line is none. */
  #set(words: readonly string[], argument: string): boolean {
    switch (words[0]?.toLowerCase()) {
      case 'help':
        this.#say(SHELL_HELP);
        break;
      case 'history':
        this.#say((this.#terminal?.history() ?? []).map((one) => `${one}\n`).join(''));
        break;
      case 'format':
        if (!FORMATS.includes(argument.toLowerCase()))
          this.#say(
            `Unknown format ${JSON.stringify(argument)}. Please use json, csv, or column.\n`,
          );
        else this.#format = argument.toLowerCase();
        break;
      case 'precision':
        this.#setPrecision(argument);
        break;
      case 'consistency':
        this.#setConsistency(argument);
        break;
      case 'settings':
        this.#say(this.#settingsText());
        break;
      case 'pretty':
        this.#isPretty = !this.#isPretty;
        this.#say(`Pretty print ${this.#isPretty ? 'enabled' : 'disabled'}\n`);
        break;
      case 'chunked':
        this.#isChunked = !this.#isChunked;
        // The original's spelling: scripts compare it.
        this.#say(this.#isChunked ? 'chunked responses enabled\n' : 'chunked reponses disabled\n');
        break;
      case 'chunk':
        this.#setChunkSize(words);
        break;
      case 'node':
        this.#setNode(words);
        break;
      case 'clear':
        this.#clear(argument);
        break;
      default:
        return false;
    }
    return true;
  }

  async #connect(argument: string): Promise<LineOutcome> {
    if (argument === '') return DONE;
    const match = /^(?:\[([^\]]+)\]|([^:\s]+))(?::(\d+))?$/.exec(argument);
    if (match === null) {
      this.#say(`ERR: could not parse ${JSON.stringify(argument)}; write host:port\n`);
      return DONE;
    }
    const [, bracketed, plain, port] = match;
    const host = bracketed ?? plain ?? '';
    const connection = { ...this.#connection, host, port: Number(port ?? 8086) };
    try {
      await ping(this.#context.env.net, connection);
      this.#connection = connection;
      return DONE;
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      const text = `Failed to connect to ${serverUrl(connection)}: ${error.message}`;
      this.#say(`ERR: ${text}\n`);
      return { kind: 'failed', error: text };
    }
  }

  async #use(argument: string): Promise<void> {
    const [database, policy] = identifiers(argument);
    if (database === undefined) return this.#say('Could not parse database name from "use".\n');
    if (!(await this.#lists('SHOW DATABASES', database))) {
      return this.#say(
        `ERR: Database ${database} doesn't exist. Run SHOW DATABASES for a list of existing databases.\nDB does not exist!\n`,
      );
    }
    this.#database = database;
    this.#say(`Using database ${database}\n`);
    if (policy === undefined) return;
    const on = `SHOW RETENTION POLICIES ON "${database.replace(/["\\]/g, '\\$&')}"`;
    if (await this.#lists(on, policy)) {
      this.#policy = policy;
      return this.#say(`Using retention policy ${policy}\n`);
    }
    this.#say(
      `ERR: RETENTION POLICY ${policy} doesn't exist. Run SHOW RETENTION POLICIES ON "${database}" for a list of existing retention polices.\n`,
    );
  }

  /** Whether the first column of the statement's answer holds the name; who may not list gets the benefit of the doubt. */
  async #lists(statement: string, name: string): Promise<boolean> {
    try {
      const answer = await query(this.#context.env.net, this.#connection, { q: statement });
      const error = errorOf(answer);
      if (error !== '') {
        this.#say(`ERR: ${error}\n`);
        return /authorized|privilege/.test(error);
      }
      return answer.results.some(({ series }) =>
        series.some(({ values }) => values.some(([first]) => first === name)),
      );
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      this.#say(`ERR: ${error.message}\n`);
      return false;
    }
  }

  async #insert(argument: string): Promise<void> {
    const { database, policy, line } = readInsert(argument);
    const target = database === '' ? this.#database : database;
    const parameters = {
      consistency: this.#consistency,
      db: target,
      precision: this.#precision === 'rfc3339' ? 'ns' : this.#precision,
      rp: policy === '' ? this.#policy : policy,
    };
    try {
      await write(this.#context.env.net, this.#connection, parameters, line);
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      this.#say(`ERR: ${error.message}\n`);
      if (target === '') this.#say(NO_DATABASE_NOTE);
    }
  }

  #parameters(statements: string): Record<string, string> {
    return {
      q: statements,
      db: this.#database,
      ...(this.#policy === '' ? {} : { rp: this.#policy }),
      ...(this.#precision === 'rfc3339' ? {} : { epoch: this.#precision }),
      ...(this.#isChunked ? { chunked: 'true' } : {}),
      ...(this.#isChunked && this.#chunkSize > 0 ? { chunk_size: String(this.#chunkSize) } : {}),
      ...(this.#node === '' ? {} : { node_id: this.#node }),
    };
  }

  #setPrecision(argument: string): void {
    const precision = argument.toLowerCase();
    if (PRECISIONS.includes(precision)) this.#precision = precision;
    else {
      const allowed = 'Please use rfc3339, h, m, s, ms, u or ns.';
      this.#say(`Unknown precision ${JSON.stringify(argument)}. ${allowed}\n`);
    }
  }

  #setConsistency(argument: string): void {
    const level = argument.toLowerCase();
    if (CONSISTENCIES.includes(level)) this.#consistency = level;
    else {
      const allowed = 'Please use any, one, quorum, or all.';
      this.#say(`Unknown consistency level ${JSON.stringify(argument)}. ${allowed}\n`);
    }
  }

  #setChunkSize(words: readonly string[]): void {
    const text = words.at(-1) ?? '';
    if (!/^-?\d+$/.test(text)) {
      this.#say(`unable to parse chunk size from ${JSON.stringify(text)}\n`);
      return;
    }
    this.#chunkSize = Math.max(0, Number(text));
    this.#say(`chunk size set to ${this.#chunkSize}\n`);
  }

  #setNode(words: readonly string[]): void {
    const [, id] = words;
    if (id === undefined || words.length !== 2) {
      this.#say("Improper number of arguments for 'node' command, requires exactly one.\n");
    } else if (id === 'clear') this.#node = '';
    else if (/^\d+$/.test(id)) this.#node = id;
    else this.#say(`Unable to parse node id from ${id}. Must be an integer or 'clear'.\n`);
  }

  #clear(argument: string): void {
    switch (argument.toLowerCase().split(/\s+/).join(' ')) {
      case 'database':
      case 'db':
        this.#database = '';
        this.#say('database context cleared\n');
        break;
      case 'retention policy':
      case 'rp':
        this.#policy = '';
        this.#say('retention policy context cleared\n');
        break;
      case '':
        this.#say(CLEAR_HELP);
        break;
      default:
        this.#say(`invalid command ${JSON.stringify(argument)}.\n${CLEAR_HELP}`);
        break;
    }
  }

  #settingsText(): string {
    const lines = [
      ['Setting', 'Value'],
      ['--------', '--------'],
      ['Host', addressText(this.#connection)],
      ['Username', this.#connection.username],
      ['Database', this.#database],
      ['RetentionPolicy', this.#policy],
      ['Pretty', String(this.#isPretty)],
      ['Format', this.#format],
      ['Write Consistency', this.#consistency],
      ['Chunked', String(this.#isChunked)],
      ['Chunk Size', String(this.#chunkSize)],
      [''],
    ];
    return inColumns(lines, { padding: 1 });
  }

  #say(text: string): void {
    this.#context.stdout.write(text);
  }
}
