import type { Span } from '@pollux/promql/parser';

const BEGINNING = 'no replica covers ';
const SPAN = /(\S+) to (\S+?)(?=,| and |$)/g;
const MORE = / and \d+ more$/;

/** The times that an answer says nobody covers; null when it says nothing of the kind. */
export type NamedGaps = {
  readonly text: string;
  readonly spans: readonly Span[];
  /** Of many spans the first are written out. */
  readonly isCut: boolean;
};

export function namedGapsOf(warnings: readonly string[]): NamedGaps | null {
  const text = warnings.find((warning) => warning.startsWith(BEGINNING));
  if (text === undefined) return null;
  const spans = [...text.slice(BEGINNING.length).matchAll(SPAN)].map(([, from, to]) => ({
    minMs: Date.parse(from!),
    maxMs: Date.parse(to!),
  }));
  return { text, spans, isCut: MORE.test(text) };
}

/** Whether any of it is named. */
export function isNamed({ spans, isCut }: NamedGaps, time: Span): boolean {
  if (spans.some(({ minMs, maxMs }) => minMs <= time.maxMs && maxMs >= time.minMs)) return true;
  const last = spans.at(-1);
  return isCut && last !== undefined && time.maxMs > last.maxMs;
}
