import { LimitError } from '../errors.ts';

export function bodyTooLarge(limitBytes: number): LimitError {
  return new LimitError(
    'HTTP.BODY_TOO_LARGE',
    'body',
    `request body over the limit of ${limitBytes} bytes`,
  );
}
