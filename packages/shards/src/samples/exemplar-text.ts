import { type Exemplar, Labels } from '@pollux/model';
import { type NumberText, numberText } from './number-text.ts';

/** An exemplar as the JSON that the text field holds, so that every client of InfluxQL can read it. Its time is the point's. */
export function textOfExemplar({ value, labels }: Exemplar): string {
  return JSON.stringify({ value: numberText(value), labels: labels.toObject() });
}

/** Null for a text that {@link textOfExemplar} does not write: anyone may write to the field. */
export function exemplarOfText(
  json: string,
  timestampMs: number,
): (Exemplar & { readonly timestampMs: number }) | null {
  try {
    const { value, labels } = JSON.parse(json) as {
      readonly value: NumberText;
      readonly labels: Readonly<Record<string, unknown>>;
    };
    const pairs = Object.entries(labels).map(([name, text]): [string, string] => [
      name,
      String(text),
    ]);
    if (value === undefined || value === null) return null;
    return { labels: Labels.from(pairs), value: Number(value), timestampMs };
  } catch {
    // No JSON, or of another shape.
    return null;
  }
}
