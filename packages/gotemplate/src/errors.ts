import { LimitError, OperatingError } from '@pollux/base';

export type TemplateErrorCode =
  | 'GOTEMPLATE.PARSE'
  | 'GOTEMPLATE.EXECUTE'
  /** html/template does not know what a place of the document is. */
  | 'GOTEMPLATE.ESCAPE'
  | 'GOTEMPLATE.FUNCTION'
  | 'GOTEMPLATE.UNKNOWN_TEMPLATE';

/**
 * A template could not be parsed or executed. The message is worded as Go words it (`template: name:1:5: executing …`),
 * because users search for that text; `template` and `line` say the place again for programs. `column` counts bytes from
 * zero, as Go's does, and is zero for parse errors, which carry none.
 */
export class TemplateError extends OperatingError {
  readonly template: string;
  readonly line: number;
  readonly column: number;

  constructor(
    code: TemplateErrorCode,
    message: string,
    place: { readonly template: string; readonly line: number; readonly column: number },
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
    this.template = place.template;
    this.line = place.line;
    this.column = place.column;
  }
}

/** Thrown by functions and methods given to templates; becomes `error calling <name>: <message>` with the place. */
export class FunctionError extends OperatingError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('GOTEMPLATE.FUNCTION', message, options);
  }
}

/** An execution was cut because it ran too long, wrote too much or nested too deep. */
export class TemplateLimitError extends LimitError {
  constructor(limit: 'steps' | 'output length' | 'depth', message: string) {
    super('GOTEMPLATE.LIMIT', limit, message);
  }
}
