import { FunctionError } from '../errors.ts';
import { GoTime } from '../time/time.ts';
import {
  GoScalar,
  GoStruct,
  kindOf,
  listItems,
  mapEntries,
  sortedKeys,
  typeName,
  type Value,
} from '../value.ts';

const ESCAPED: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** Go's json.Marshal: keys of maps in order, fields as declared, and what HTML would misread escaped. */
export function toJson(value: Value): string {
  if (value === null) return 'null';
  if (value instanceof GoTime) return JSON.stringify(value.toRfc3339());
  if (value instanceof GoScalar) return toJson(value.value);
  if (typeof value === 'string') return jsonText(value);
  if (typeof value === 'number') return jsonNumber(value);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  const items = listItems(value);
  if (items !== null) return `[${items.map(toJson).join(',')}]`;
  const entries = mapEntries(value);
  if (entries !== null) {
    const members = sortedKeys(entries).map(
      (key) => `${jsonText(String(key))}:${toJson(entries.get(key) ?? null)}`,
    );
    return `{${members.join(',')}}`;
  }
  if (value instanceof GoStruct) {
    const members = Object.entries(value.fields)
      .filter(([field]) => /^\p{Lu}/u.test(field))
      .map(
        ([field, item]) => `${jsonText(value.type.jsonNames?.[field] ?? field)}:${toJson(item)}`,
      );
    return `{${members.join(',')}}`;
  }
  throw new FunctionError(`json: unsupported type: ${kindOf(value)} ${typeName(value)}`);
}

function jsonText(text: string): string {
  return JSON.stringify(text.replace(/\p{Surrogate}/gu, '\ufffd')).replace(
    /[<>&\u2028\u2029]/g,
    (character) => ESCAPED[character]!,
  );
}

function jsonNumber(value: number): string {
  if (!Number.isFinite(value)) {
    const shown = Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
    throw new FunctionError(`json: unsupported value: ${shown}`);
  }
  return Object.is(value, -0) ? '-0' : String(value);
}
