import { OperatingError } from '@pollux/base';

export type RuleErrorCode =
  | 'RULES.DUPLICATE_SERIES'
  | 'RULES.LIMIT'
  | 'RULES.APPEND'
  | 'RULES.RESULT_TYPE'
  | 'RULES.NOTIFY';

/** One evaluation or one delivery failed; the group goes on. Messages are worded as Prometheus words them. */
export class RuleError extends OperatingError {
  declare readonly code: RuleErrorCode;

  constructor(code: RuleErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}
