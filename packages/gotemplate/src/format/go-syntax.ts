import { GoTime } from '../time/time.ts';
import {
  GoStruct,
  listItems,
  mapEntries,
  plainOf,
  sortedKeys,
  typeName,
  type Value,
} from '../value.ts';
import { formatFloat } from './float.ts';
import { quote } from './quote.ts';

/** Nesting below which values are shown; host values are trees, so this is a backstop. */
const MAX_DEPTH = 64;

/** A value as Go's %#v shows it: as Go source. */
export function goSyntax(value: Value, depth = 0): string {
  if (depth > MAX_DEPTH) return '…';
  const inner = (part: Value): string => goSyntax(part, depth + 1);
  if (value === null) return depth === 0 ? '<nil>' : 'interface {}(nil)';
  if (value instanceof GoTime) return goTimeSyntax(value);
  const plain = plainOf(value);
  if (typeof plain === 'string') return quote(plain);
  if (typeof plain === 'number') return formatFloat(plain, 'g', -1);
  if (typeof plain === 'bigint' || typeof plain === 'boolean') return String(plain);
  const items = listItems(value);
  if (items !== null) return `${typeName(value)}{${items.map(inner).join(', ')}}`;
  const entries = mapEntries(value);
  if (entries !== null) {
    const parts = sortedKeys(entries).map(
      (key) => `${inner(key)}:${inner(entries.get(key) ?? null)}`,
    );
    return `${typeName(value)}{${parts.join(', ')}}`;
  }
  if (value instanceof GoStruct) {
    const parts = Object.entries(value.fields).map(([name, field]) => `${name}:${inner(field)}`);
    return `${typeName(value).replace(/^\*/, '&')}{${parts.join(', ')}}`;
  }
  return `(${typeName(value)})`;
}

/** As Go's Time.GoString has it, with the location left to its name. */
function goTimeSyntax(time: GoTime): string {
  const nanos = time.format('.000000000').slice(1);
  const [year, month, clock] = time.format('2006|January|2, 15, 4, 5').split('|');
  const zone = time.zone.name === 'UTC' ? 'time.UTC' : `time.Location(${quote(time.zone.name)})`;
  return `time.Date(${year}, time.${month}, ${clock}, ${Number(nanos)}, ${zone})`;
}
