import { parse, TomlError } from 'smol-toml';
import { ConfigError } from './errors.ts';
import type { ConfigNode, Place } from './node.ts';

/**
 * Parses TOML 1.0 (influxdb.conf) into nodes. The parser keeps no places of values, so messages name the field's path and
 * the file; broken syntax has line and column.
 */
export function parseToml(text: string, file: string): ConfigNode {
  try {
    return convert(parse(text), { file, line: 0, column: 0 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ''] = error.message.split('\n');
    throw new ConfigError(`${file}:${error.line}:${error.column}`, `not valid TOML: ${reason}`);
  }
}

function convert(value: unknown, place: Place): ConfigNode {
  if (Array.isArray(value))
    return { kind: 'list', place, items: value.map((item) => convert(item, place)) };
  if (typeof value === 'string')
    return { kind: 'scalar', place, text: value, value, isQuoted: true };
  if (typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'scalar', place, text: String(value), value, isQuoted: false };
  }
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    const entries = Object.entries(value).map(([key, item]) => ({
      key,
      place,
      value: convert(item, place),
    }));
    return { kind: 'map', place, entries };
  }
  return { kind: 'scalar', place, text: String(value), value: String(value), isQuoted: true };
}
