import { Labels } from '@pollux/model';

const HTML: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/**
 * JSON as Prometheus writes it: texts have `<`, `>` and `&` escaped, label sets have not. Objects keep the order of their
 * keys, so callers build maps sorted. Undefined members are left out.
 */
export function encodeJson(value: unknown): string {
  if (value instanceof Labels) return encodeLabels(value);
  if (typeof value === 'string') return encodeText(value);
  if (Array.isArray(value)) return `[${value.map(encodeJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members: string[] = [];
    for (const [key, member] of Object.entries(value)) {
      if (member !== undefined) members.push(`${encodeText(key)}:${encodeJson(member)}`);
    }
    return `{${members.join(',')}}`;
  }
  return value === undefined ? 'null' : JSON.stringify(value);
}

export function encodeText(text: string): string {
  return escaped(JSON.stringify(text));
}

/** With commas between them. */
export function encodeTexts(texts: readonly string[]): string {
  return escaped(JSON.stringify(texts).slice(1, -1));
}

function escaped(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (char) => HTML[char]!);
}

export function encodeLabels(labels: Labels): string {
  let text = '{';
  for (let i = 0; i < labels.size; i++) {
    if (i > 0) text += ',';
    text += `${JSON.stringify(labels.nameAt(i))}:${JSON.stringify(labels.valueAt(i))}`;
  }
  return `${text}}`;
}

/** RFC 3339 in UTC, zeros of the fraction trimmed; null is Go's zero time, the year 1. */
export function encodeTime(timeMs: number | null): string {
  if (timeMs === null) return '0001-01-01T00:00:00Z';
  return new Date(timeMs).toISOString().replace(/\.?0+Z$/, 'Z');
}
