import {
  errorText,
  type HttpResponse,
  OperatingError,
  type StopSignal,
  StopSource,
} from '@pollux/base';
import { type Exchange, formOf } from '@pollux/http';
import type { Statement } from '../influxql/ast.ts';
import { parseQuery } from '../influxql/parser/parse.ts';
import { printStatement } from '../influxql/print-statement.ts';
import { queryEpoch } from '../line-protocol/precision.ts';
import type { User } from '../meta/meta-store.ts';
import type { ResultSeries, StatementResult } from '../query/result.ts';
import type { Attached } from '../query/running-queries.ts';
import { isResponse } from './access.ts';
import { failure, jsonText, noContent } from './answers.ts';
import type { HttpContext } from './context.ts';
import { errorCsv, resultsCsv } from './csv-answer.ts';
import { type Epoch, errorJson, resultsJson } from './json-answer.ts';
import { errorMsgpack, resultsMsgpack } from './msgpack-answer.ts';
import { readParameters } from './parameters.ts';

const DEFAULT_CHUNK_ROWS = 10_000;

const TYPES = {
  json: 'application/json',
  csv: 'text/csv',
  msgpack: 'application/x-msgpack',
} as const;

type Answer = {
  readonly format: 'json' | 'csv' | 'msgpack';
  readonly epoch: Epoch;
  readonly isPretty: boolean;
  /** Rows per document; null for one document. */
  readonly chunkRows: number | null;
};

/** GET and POST /query. */
export async function serveQuery(context: HttpContext, exchange: Exchange): Promise<HttpResponse> {
  const form = await formOf(exchange);
  const answer = answerOf(exchange, form);
  const text = (form.get('q') ?? '').trim();
  if (text === '') return refused(answer, 400, 'missing required parameter "q"');
  let statements: Statement[];
  try {
    statements = parseQuery(text, readParameters(form.get('params')));
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    const isParameters = error.code === 'INFLUX.PARAMETERS';
    return refused(
      answer,
      400,
      `error parsing query${isParameters ? ' parameters' : ''}: ${error.message}`,
    );
  }
  const database = form.get('db') ?? '';
  const allowed = context.access.checkStatements(exchange, statements, database);
  if (allowed !== null && isResponse(allowed)) return allowed;
  const isAsync = form.get('async') === 'true';
  let attached: Attached;
  try {
    const shown = statements.map(printStatement).join(';\n');
    // Nobody waits for an asynchronous query, so only KILL QUERY and its time limit end it.
    const parent = isAsync ? new StopSource() : exchange.signal;
    attached = context.running.attach(shown, database, parent);
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    const result = {
      statementId: 0,
      series: [],
      messages: [],
      error: error.message,
      timeZone: null,
    };
    return jsonText(200, `${resultsJson([result], answer.epoch, answer.isPretty)}\n`);
  }
  const run = runner(context, attached, {
    statements,
    user: allowed,
    database,
    retentionPolicy: form.get('rp') ?? '',
    isReadOnly: exchange.request.method === 'GET',
  });
  if (isAsync) {
    void drain(context, run);
    return noContent();
  }
  context.metrics.queries.inc();
  if (answer.chunkRows !== null && answer.format !== 'csv') {
    return {
      status: 200,
      headers: { 'content-type': TYPES[answer.format] },
      body: chunks(run, answer, answer.chunkRows),
    };
  }
  const results: StatementResult[] = [];
  for await (const result of run) results.push(cutRows(result, context.maxRowLimit));
  if (answer.format !== 'json')
    return {
      status: 200,
      headers: { 'content-type': TYPES[answer.format] },
      body:
        answer.format === 'csv'
          ? resultsCsv(results, answer.epoch)
          : resultsMsgpack(results, answer.epoch),
    };
  return jsonText(200, `${resultsJson(results, answer.epoch, answer.isPretty)}\n`);
}

function answerOf(exchange: Exchange, form: URLSearchParams): Answer {
  const accept = exchange.request.headers.accept ?? '';
  const rows = Number(form.get('chunk_size') ?? '');
  return {
    format: formatOf(accept),
    epoch: queryEpoch(form.get('epoch')),
    isPretty: form.get('pretty') === 'true',
    chunkRows:
      form.get('chunked') === 'true'
        ? Number.isSafeInteger(rows) && rows > 0
          ? rows
          : DEFAULT_CHUNK_ROWS
        : null,
  };
}

/** The first known type of the header; JSON for all others. */
function formatOf(accept: string): Answer['format'] {
  const [known = ''] =
    /\b(?:application\/json|application\/csv|text\/csv|application\/x-msgpack)\b/.exec(accept) ??
    [];
  if (known.endsWith('/csv')) return 'csv';
  return known === 'application/x-msgpack' ? 'msgpack' : 'json';
}

function refused(answer: Answer, status: number, message: string): HttpResponse {
  const plain = failure(status, message);
  if (answer.format !== 'json')
    return {
      ...plain,
      headers: { ...plain.headers, 'content-type': TYPES[answer.format] },
      body: answer.format === 'csv' ? errorCsv(message) : errorMsgpack(message),
    };
  return { ...plain, body: `${errorJson(message, answer.isPretty)}\n` };
}

type Run = {
  readonly statements: readonly Statement[];
  readonly user: User | null;
  readonly database: string;
  readonly retentionPolicy: string;
  readonly isReadOnly: boolean;
};

/** Statements one after the other; the first failure stops the rest, which say so. */
async function* runner(
  context: HttpContext,
  attached: Attached,
  run: Run,
): AsyncGenerator<StatementResult> {
  try {
    yield* runAll(context, attached.signal, run);
  } finally {
    attached.end();
  }
}

async function* runAll(
  context: HttpContext,
  signal: StopSignal,
  run: Run,
): AsyncGenerator<StatementResult> {
  let hasFailed = false;
  for (const [statementId, statement] of run.statements.entries()) {
    const timeZone = statement.kind === 'select' ? statement.timeZone : null;
    const base = {
      statementId,
      messages: run.isReadOnly ? warningsFor(context, statement, run) : [],
      timeZone,
    };
    if (hasFailed) {
      yield { ...base, messages: [], series: [], error: 'not executed' };
      continue;
    }
    try {
      const { database, retentionPolicy, user } = run;
      const series = await context.executor.execute(statement, {
        database,
        retentionPolicy,
        signal,
        user,
      });
      yield { ...base, series, error: null };
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      hasFailed = true;
      context.metrics.queryErrors.inc();
      yield { ...base, messages: [], series: [], error: error.message };
    }
  }
}

/** Statements that change something should be sent by POST. */
function warningsFor(context: HttpContext, statement: Statement, run: Run): string[] {
  if (statement.kind === 'select' && statement.target !== null) {
    const target = qualified(context, statement.target, run);
    const sources = statement.sources.map((source) =>
      source.kind === 'measurement' ? qualified(context, source, run) : source,
    );
    return [deprecated(printStatement({ ...statement, target, sources }))];
  }
  const isRead = /^(?:select|show-|explain|delete|kill)/.test(statement.kind);
  return isRead ? [] : [deprecated(printStatement(statement))];
}

/** With the database and policy that it stands for. */
function qualified<T extends { readonly database: string; readonly retentionPolicy: string }>(
  context: HttpContext,
  place: T,
  run: Run,
): T {
  const database = place.database === '' ? run.database : place.database;
  const policy = context.meta.database(database)?.defaultPolicy ?? '';
  return {
    ...place,
    database,
    retentionPolicy: place.retentionPolicy === '' ? policy : place.retentionPolicy,
  };
}

function deprecated(text: string): string {
  return `deprecated use of '${text}' in a read only context, please use a POST request instead`;
}

async function drain(context: HttpContext, run: AsyncGenerator<StatementResult>): Promise<void> {
  try {
    for await (const result of run) if (result.error !== null) context.metrics.queryErrors.inc();
  } catch (error) {
    context.metrics.queryErrors.inc();
    context.log.error('an asynchronous query failed', { error: errorText(error) });
  }
}

/** `max-row-limit`: rows beyond it are left out, later series too. */
function cutRows(result: StatementResult, limit: number): StatementResult {
  if (limit === 0) return result;
  let left = limit;
  const series: ResultSeries[] = [];
  for (const one of result.series) {
    if (left === 0) break;
    const rows = one.rows.slice(0, left);
    left -= rows.length;
    series.push(rows.length < one.rows.length ? { ...one, rows, partial: true } : { ...one, rows });
  }
  return { ...result, series };
}

/** One document per chunk of rows and series. */
async function* chunks(
  run: AsyncGenerator<StatementResult>,
  answer: Answer,
  size: number,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const document = (result: StatementResult): Uint8Array =>
    answer.format === 'msgpack'
      ? resultsMsgpack([result], answer.epoch)
      : encoder.encode(`${resultsJson([result], answer.epoch, answer.isPretty)}\n`);
  for await (const result of run) {
    if (result.series.length === 0) yield document(result);
    for (const [index, series] of result.series.entries()) {
      const isLastSeries = index === result.series.length - 1;
      // Lists of names come whole, as from influxd.
      const rows = series.hasTime ? size : Math.max(1, series.rows.length);
      for (let from = 0; from === 0 || from < series.rows.length; from += rows) {
        const isLast = from + rows >= series.rows.length;
        const part: ResultSeries = {
          ...series,
          rows: series.rows.slice(from, from + rows),
          partial: !isLast,
        };
        yield document({ ...result, series: [part], partial: !(isLast && isLastSeries) });
      }
    }
  }
}
