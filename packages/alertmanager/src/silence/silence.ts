import {
  isLegacyLabelName,
  Matcher,
  type MatchOperator,
  PatternError,
  quoteText,
} from '@pollux/model';
import { toMs, type WireTime } from '../wire/timestamp.ts';

/** One condition as it travels: the pattern may be no valid expression, which only shows when it is compiled. */
export type SilenceMatcher = {
  readonly name: string;
  readonly operator: MatchOperator;
  readonly pattern: string;
};

/** One version of a silence. A change is a new version with a later `updatedAt`; nothing is ever deleted on the wire. */
export type Silence = {
  readonly id: string;
  readonly matchers: readonly SilenceMatcher[];
  readonly startsAt: WireTime;
  readonly endsAt: WireTime;
  readonly updatedAt: WireTime;
  readonly createdBy: string;
  readonly comment: string;
  readonly annotations: ReadonlyMap<string, string>;
  /** Fields of newer versions, as they came. */
  readonly unknownFields: Uint8Array;
  /**
   * False for what this version cannot apply in its sender's sense (several matcher sets, sets limited to receivers): such
   * a silence is kept and relayed, and silences nothing here.
   */
  readonly isApplicable: boolean;
};

export type SilenceState = 'pending' | 'active' | 'expired';

export function stateAt(silence: Silence, nowMs: number): SilenceState {
  if (nowMs < toMs(silence.startsAt)) return 'pending';
  return nowMs >= toMs(silence.endsAt) ? 'expired' : 'active';
}

/**
 * The compiled matchers, or null when the silence must not be applied: it has none (it would silence everything), or a
 * pattern that is no RE2.
 */
export function compileSilence(silence: Silence): readonly Matcher[] | null {
  if (!silence.isApplicable || silence.matchers.length === 0) return null;
  try {
    return silence.matchers.map(
      ({ name, operator, pattern }) => new Matcher(name, operator, pattern),
    );
  } catch (error) {
    if (error instanceof PatternError) return null;
    throw error;
  }
}

/** As {@link Matcher} spells itself; the pattern need not be valid. */
export function spellMatcher({ name, operator, pattern }: SilenceMatcher): string {
  return `${isLegacyLabelName(name) ? name : quoteText(name)}${operator}${quoteText(pattern)}`;
}

export function sameMatchers(a: readonly SilenceMatcher[], b: readonly SilenceMatcher[]): boolean {
  if (a.length !== b.length) return false;
  const spell = (list: readonly SilenceMatcher[]): string =>
    JSON.stringify(list.map(({ name, operator, pattern }) => [name, operator, pattern]).sort());
  return spell(a) === spell(b);
}
