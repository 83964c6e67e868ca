import {
  ExchangeError,
  type HttpPool,
  type HttpPoolResponse,
  OperatingError,
  type StopSignal,
  sleep,
} from '@pollux/base';
import { shownAddress } from '@pollux/config';
import type { CommandContext } from '../../command/command.ts';
import { parsedUrl } from '../../command/http-call.ts';
import { type Answer, errorOf, type Row, readAnswer } from '../../influx/answer.ts';

const CONNECT_TIMEOUT_MS = 30_000;
/** A statement over a whole shard group may think for long before its first row. */
const ANSWER_TIMEOUT_MS = 30 * 60_000;
const KEEP_ALIVE_MS = 30_000;
/** Rows of one piece of an answer, which is held as a whole. */
const CHUNK_ROWS = 5_000;
const MAX_LINE_CHARS = 256 * 1024 * 1024;
const MAX_TEXT_BYTES = 64 * 1024 * 1024;
/** Waits between attempts, ms: a server that is started anew is back by then. */
const PAUSES_MS = [500, 1_000, 2_000, 5_000, 10_000, 20_000] as const;

/** A statement or request that the server refused: to ask again would change nothing. */
export class RefusalError extends OperatingError {
  constructor(text: string) {
    super('ROLES.INFLUX_REFUSAL', text);
  }
}

/** A server of InfluxDB 1.x, or ours. Answers are read as they come; what fails on the way is tried again for some 40 seconds. */
export class InfluxServer {
  /** Without a password. */
  readonly shown: string;
  readonly #context: CommandContext;
  readonly #pool: HttpPool;
  readonly #path: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #signal: StopSignal;

  /** `url` may hold user and password; INFLUX_USERNAME and INFLUX_PASSWORD are taken where it has none. */
  constructor(context: CommandContext, url: string, signal: StopSignal) {
    const parsed = parsedUrl(url);
    const { INFLUX_USERNAME = '', INFLUX_PASSWORD = '' } = context.variables;
    const isNamed = parsed.username !== '';
    const user = isNamed ? decodeURIComponent(parsed.username) : INFLUX_USERNAME;
    const password = isNamed ? decodeURIComponent(parsed.password) : INFLUX_PASSWORD;
    const pair = Buffer.from(`${user}:${password}`).toString('base64');
    this.shown = shownAddress(url);
    this.#context = context;
    this.#pool = context.env.net.openPool({
      origin: `${parsed.protocol}//${parsed.host}`,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      keepAliveMs: KEEP_ALIVE_MS,
    });
    this.#path = parsed.pathname.replace(/\/+$/, '');
    this.#headers = {
      host: parsed.host,
      ...(user === '' ? {} : { authorization: `Basic ${pair}` }),
    };
    this.#signal = signal;
  }

  /** The answer of statements about names. Throws RefusalError with the server's text. */
  query(statements: string): Promise<Answer> {
    return this.#retried(async () => {
      const form = new URLSearchParams({ q: statements, epoch: 'ns' });
      const answer = readAnswer(await this.#text(await this.#send('/query', `${form}`)));
      const error = errorOf(answer);
      if (error !== '') throw new RefusalError(`${this.shown}: ${error}`);
      return answer;
    });
  }

  /** The rows of one statement, piece by piece. A break of the answer is thrown as ExchangeError: half of it was given already. */
  async *rows(database: string, statement: string): AsyncGenerator<Row> {
    const form = new URLSearchParams({
      q: statement,
      db: database,
      epoch: 'ns',
      chunked: 'true',
      chunk_size: String(CHUNK_ROWS),
    });
    const response = await this.#retried(() => this.#send('/query', `${form}`));
    const decoder = new TextDecoder();
    let rest = '';
    for await (const piece of piecesOf(response)) {
      const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE_CHARS)
        throw new OperatingError('ROLES.INFLUX_ANSWER', 'a piece of the answer is over 256 MiB');
      for (const line of lines) yield* this.#rowsOf(line);
    }
    yield* this.#rowsOf(rest);
  }

  *#rowsOf(line: string): Generator<Row> {
    const answer = readAnswer(line);
    const error = errorOf(answer);
    if (error !== '') throw new RefusalError(`${this.shown}: ${error}`);
    for (const { series } of answer.results) yield* series;
  }

  /** Writes lines with times in nanoseconds; gives null, or why some of them were not taken. Throws where none were. */
  write(database: string, policy: string, lines: string): Promise<string | null> {
    return this.#retried(async () => {
      const place = new URLSearchParams({ db: database, rp: policy, precision: 'ns' });
      const response = await this.#send(`/write?${place}`, lines, 'text/plain');
      const text = (await this.#text(response)).trim();
      if (response.status < 300) return null;
      if (response.status === 400 && text.includes('partial write')) return text;
      throw new RefusalError(`${this.shown}: status ${response.status}: ${text.slice(0, 500)}`);
    });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Status 5xx and 429 are thrown, to be tried again. */
  async #send(
    target: string,
    body: string,
    type = 'application/x-www-form-urlencoded',
  ): Promise<HttpPoolResponse> {
    const bytes = new TextEncoder().encode(body);
    const response = await this.#pool.exchange({
      method: 'POST',
      target: `${this.#path}${target}`,
      headers: { ...this.#headers, 'content-type': type, 'content-length': String(bytes.length) },
      body: bytes,
      headTimeoutMs: ANSWER_TIMEOUT_MS,
      bodyTimeoutMs: ANSWER_TIMEOUT_MS,
      signal: this.#signal,
    });
    if (response.status >= 500 || response.status === 429) {
      const text = await this.#text(response);
      throw new OperatingError(
        'ROLES.INFLUX_BUSY',
        `${this.shown}: status ${response.status}: ${text.trim().slice(0, 500)}`,
      );
    }
    return response;
  }

  async #text(response: HttpPoolResponse): Promise<string> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of piecesOf(response)) {
      size += part.length;
      if (size > MAX_TEXT_BYTES)
        throw new OperatingError('ROLES.INFLUX_ANSWER', `${this.shown}: an answer over 64 MiB`);
      parts.push(part);
    }
    return Buffer.concat(parts).toString();
  }

  async #retried<T>(work: () => Promise<T>): Promise<T> {
    for (const pauseMs of PAUSES_MS) {
      try {
        return await work();
      } catch (error) {
        if (!isPassing(error)) throw error;
        await sleep(this.#context.env.clock, pauseMs, this.#signal);
      }
    }
    return work();
  }
}

/** Whether the same may go well later. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ExchangeError) return true;
  return OperatingError.is(error) && error.code === 'ROLES.INFLUX_BUSY';
}

async function* piecesOf({ body }: HttpPoolResponse): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) yield body;
  else yield* body;
}
