import { type Env, ulid } from '@pollux/base';

/** A ULID at the beginning of a name: a block's, or one with an ending of a block that is being made or deleted. */
const NAMED = /^[0-7][0-9A-HJKMNP-TV-Z]{25}(?:$|\.)/;
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Digits of the milliseconds of a ULID, and their greatest value. */
const TIME_DIGITS = 10;
const MAX_TIME_MS = 2 ** 48 - 1;

/**
 * The name of a new block: a ULID of now, or of 1 ms after the newest block of the directory where the wall clock was set
 * back since, or stands. Of two blocks of out-of-order samples of one time the older answers, and names tell which that is.
 * Reads the directory; throws the system's error.
 */
export function newBlockName(
  { clock, random, files }: Pick<Env, 'clock' | 'random' | 'files'>,
  directory: string,
): string {
  let last = '';
  for (const entry of files.list(directory)) {
    if (NAMED.test(entry) && entry > last) last = entry;
  }
  const name = ulid(clock.now(), random);
  const afterMs = timeOf(last) + 1;
  // Behind the last millisecond there is none; only a name made by hand has it.
  return name > last || afterMs > MAX_TIME_MS ? name : ulid(afterMs, random);
}

function timeOf(name: string): number {
  let timeMs = 0;
  for (const digit of name.slice(0, TIME_DIGITS)) timeMs = timeMs * 32 + CROCKFORD.indexOf(digit);
  return timeMs;
}
