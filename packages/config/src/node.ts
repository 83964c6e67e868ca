import { ConfigError } from './errors.ts';

/** Where a value stands in its file; lines and columns count from 1. */
export type Place = { readonly file: string; readonly line: number; readonly column: number };

/** One value of a configuration file with its place. YAML and TOML both arrive in this form. */
export type ConfigNode =
  | { readonly kind: 'map'; readonly place: Place; readonly entries: readonly ConfigEntry[] }
  | { readonly kind: 'list'; readonly place: Place; readonly items: readonly ConfigNode[] }
  | {
      readonly kind: 'scalar';
      readonly place: Place;
      /** As written, without quotes: `"01"` and `01` both give `01`. */
      readonly text: string;
      readonly value: string | number | boolean;
      readonly isQuoted: boolean;
    }
  | { readonly kind: 'null'; readonly place: Place };

export type ConfigEntry = {
  readonly key: string;
  readonly place: Place;
  readonly value: ConfigNode;
};

export function placeText(place: Place): string {
  return place.line === 0 ? place.file : `${place.file}:${place.line}:${place.column}`;
}

/** Refuses a value at its place; `path` is the field's path from the root, as `scrape_configs[0].job_name`. */
export function refuse(node: { readonly place: Place }, path: string, message: string): never {
  throw new ConfigError(placeText(node.place), path === '' ? message : `${path}: ${message}`);
}

/** The entry's value, or null when the key is missing or its value is empty. */
export function entryOf(node: ConfigNode, key: string): ConfigNode | null {
  if (node.kind !== 'map') return null;
  const value = node.entries.find((entry) => entry.key === key)?.value;
  return value === undefined || value.kind === 'null' ? null : value;
}
