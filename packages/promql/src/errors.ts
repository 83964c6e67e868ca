import { OperatingError } from '@pollux/base';

/** Why a query gave no answer; the API maps kinds to its error types and statuses. */
export type QueryErrorKind = 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'too_many_samples';

/** A query failed. The message is the one Prometheus gives. */
export class QueryError extends OperatingError {
  readonly kind: QueryErrorKind;

  constructor(kind: QueryErrorKind, message: string, options?: { cause?: unknown }) {
    super(`PROMQL.${kind.toUpperCase()}`, message, options);
    this.kind = kind;
  }

  /** Evaluation can not go on: duplicate series, bad parameters, something not supported. */
  static execution(message: string): QueryError {
    return new QueryError('execution', message);
  }

  static tooManySamples(): QueryError {
    return new QueryError(
      'too_many_samples',
      'query processing would load too many samples into memory in query execution',
    );
  }
}
