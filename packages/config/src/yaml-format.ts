import { stringify } from 'yaml';

/** A plain value as YAML in the form that Go's encoder gives: lists not indented, long lines whole. Secrets print masked. */
export function formatYaml(value: unknown): string {
  return stringify(JSON.parse(JSON.stringify(value)), { indentSeq: false, lineWidth: 0 });
}
