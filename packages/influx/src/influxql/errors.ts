import { InputError, OperatingError } from '@pollux/base';
import type { Position, Token } from './token.ts';

/** The query text is no InfluxQL; the message is influxd's, without its `error parsing query: `. */
export class QuerySyntaxError extends InputError {
  constructor(message: string) {
    super('INFLUX.SYNTAX', '', message);
  }

  static expected(token: Token, expected: readonly string[]): QuerySyntaxError {
    return new QuerySyntaxError(
      `found ${token.shown}, expected ${expected.join(', ')}${at(token.position)}`,
    );
  }

  static at(message: string, position: Position): QuerySyntaxError {
    return new QuerySyntaxError(`${message}${at(position)}`);
  }
}

function at(position: Position): string {
  return ` at line ${position.line + 1}, char ${position.char + 1}`;
}

/** A statement that cannot be executed; shown inside its result. */
export class QueryError extends OperatingError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('INFLUX.QUERY', message, options);
  }
}

/** Valid InfluxQL that this version does not execute. */
export class UnsupportedQueryError extends OperatingError {
  constructor(what: string) {
    super('INFLUX.UNSUPPORTED', `${what} is not supported by this version of the store`);
  }
}
