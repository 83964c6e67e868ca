import type { RobotProtocol, RobotRefusal } from './robot-sender.ts';

/** What a code means for another attempt. */
type Meaning = Pick<RobotRefusal, 'retry' | 'reason'>;

export const IS_BUSY: Meaning = { retry: true, reason: 'serverError' };
export const IS_TOO_FAST: Meaning = { retry: true, reason: 'rateLimited' };
export const IS_NOT_ALLOWED: Meaning = { retry: false, reason: 'authError' };
const IS_FINAL: Meaning = { retry: false, reason: 'clientError' };

const MAX_TEXT_LENGTH = 500;

type CodeForm = {
  /** As its users know it. */
  readonly service: string;
  /** Fields that may hold the code, 0 for an accepted message; the first is what the message calls it. */
  readonly codes: readonly [string, ...string[]];
  readonly texts: readonly string[];
  /** Any other code is final. */
  readonly meanings: Readonly<Record<string, Meaning>>;
};

/** Reads answers of services that say by a code in the body what their status does not. */
export function codedRefusal({
  service,
  codes,
  texts,
  meanings,
}: CodeForm): RobotProtocol['refusal'] {
  return (fields) => {
    const found = firstOf(fields, codes);
    if (found === undefined) {
      const message = `the answer is none of ${service}; is a proxy in between?`;
      return { code: 'none', message, retry: true, reason: 'other' };
    }
    if (found === 0) return null;
    const code = String(found);
    const text = String(firstOf(fields, texts) ?? '').slice(0, MAX_TEXT_LENGTH);
    return {
      code,
      message: `${codes[0]} ${code}: ${text}`,
      ...((Object.hasOwn(meanings, code) ? meanings[code] : undefined) ?? IS_FINAL),
    };
  };
}

function firstOf(
  fields: Readonly<Record<string, unknown>> | null,
  names: readonly string[],
): unknown {
  for (const name of names) {
    const value = fields?.[name];
    if (value !== undefined && value !== null) return value;
  }
  return undefined;
}
