import type { MetricFamily } from './metric-family.ts';

export const TEXT_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';

/** Families in Prometheus' text format 0.0.4. */
export function renderText(families: readonly MetricFamily[]): string {
  const lines: string[] = [];
  for (const family of families) {
    if (family.samples.length === 0) continue;
    if (family.help !== '') lines.push(`# HELP ${family.name} ${escapeHelp(family.help)}`);
    lines.push(`# TYPE ${family.name} ${family.type}`);
    for (const { suffix, labels, value } of family.samples) {
      lines.push(`${family.name}${suffix}${renderLabels(labels)} ${renderValue(value)}`);
    }
  }
  lines.push('');
  return lines.join('\n');
}

function renderLabels(labels: readonly string[]): string {
  if (labels.length === 0) return '';
  const pairs: string[] = [];
  for (let i = 0; i < labels.length; i += 2)
    pairs.push(`${labels[i]}="${escapeValue(labels[i + 1]!)}"`);
  return `{${pairs.join(',')}}`;
}

function renderValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeValue(text: string): string {
  if (!/[\\\n"]/.test(text)) return text;
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
