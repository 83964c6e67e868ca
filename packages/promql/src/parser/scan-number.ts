const DIGITS = '0123456789';
const HEX_DIGITS = `${DIGITS}abcdefABCDEF`;

/**
 * How far Prometheus reads a text that begins as a number. What it takes is not always one (`1e3.`): that is said when its
 * value is asked for. Where it stops at what is none counts too: a duration may go on from there, and errors quote up to there.
 */
export function scanNumber(text: string): { readonly isNumber: boolean; readonly end: number } {
  const scan = new Scan(text, 0);
  const isHex = scan.accept('0') && scan.accept('xX');
  if (isHex) scan.accept('_');
  const digits = isHex ? HEX_DIGITS : DIGITS;
  scan.accept('.');
  scan.accept(digits);
  let hasDot = false;
  let hasExponent = false;
  while (scan.isAt(`${digits}._eE`)) {
    let isFaulty = false;
    if (scan.isAt('.')) {
      isFaulty = hasDot || isHex || '_.'.includes(scan.second);
      scan.accept('.');
      if (isFaulty && !hasDot) scan.accept('_.');
      hasDot = true;
    } else if (scan.isAt('eE') && hasExponent) {
      isFaulty = scan.accept('eE');
    } else if (scan.accept('eE')) {
      hasExponent = true;
      scan.accept('+-');
      isFaulty = scan.accept('._eE') || scan.isOver;
    } else if (scan.accept('_')) {
      isFaulty = scan.accept('._eE') || scan.isOver;
    } else scan.acceptRun(digits);
    if (isFaulty) return { isNumber: false, end: scan.at };
  }
  return { isNumber: scan.at > 0 && !scan.isAtWord, end: scan.at };
}

/** How far a duration goes on where a number ended: units in whatever order; its reader says what is wrong with them. */
export function scanDuration(
  text: string,
  from: number,
): { readonly isDuration: boolean; readonly end: number } {
  const scan = new Scan(text, from);
  if (!scan.accept('smhdwy')) return { isDuration: false, end: scan.at };
  scan.accept('s');
  while (scan.accept(DIGITS)) {
    scan.acceptRun(DIGITS);
    if (!scan.accept('smhdw')) return { isDuration: false, end: scan.at };
    scan.accept('s');
  }
  return scan.isAtWord
    ? { isDuration: false, end: scan.at + 1 }
    : { isDuration: true, end: scan.at };
}

class Scan {
  readonly #text: string;
  at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.at = at;
  }

  get isOver(): boolean {
    return this.at >= this.#text.length;
  }

  /** The character behind the next; a space at the end. */
  get second(): string {
    return this.#text[this.at + 1] ?? ' ';
  }

  get isAtWord(): boolean {
    return /^[a-zA-Z0-9_]/.test(this.#text[this.at] ?? '');
  }

  isAt(set: string): boolean {
    return !this.isOver && set.includes(this.#text[this.at]!);
  }

  accept(set: string): boolean {
    if (!this.isAt(set)) return false;
    this.at++;
    return true;
  }

  acceptRun(set: string): void {
    while (this.accept(set));
  }
}
