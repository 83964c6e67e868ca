import { type Precision, UNIT_NANOS } from '../line-protocol/precision.ts';
import type { StatementResult } from '../query/result.ts';
import { plainCell } from './json-answer.ts';

function field(text: string): string {
  const needsQuotes = /[",\r\n]/.test(text) || /^\s/.test(text) || text === '\\.';
  return needsQuotes ? `"${text.replaceAll('"', '""')}"` : text;
}

/** influxd's CSV: a header per change of columns, statements apart by a blank line; statement errors are not shown. */
export function resultsCsv(results: readonly StatementResult[], epoch: Precision | null): string {
  let out = '';
  let columns: string | null = null;
  for (const result of results) {
    for (const series of result.series) {
      const header = ['name', 'tags', ...series.columns].map(field).join(',');
      if (columns !== null && (columns !== header || out === '')) out += '\n';
      if (columns !== header) {
        out += `${header}\n`;
        columns = header;
      }
      const tags = (series.tags ?? []).map(([key, value]) => `${key}=${value}`).join(',');
      for (const row of series.rows) {
        const cells = row.map((cell, index) =>
          index === 0 && series.hasTime && typeof cell === 'bigint'
            ? String(cell / UNIT_NANOS[epoch ?? 'ns'])
            : plainCell(cell),
        );
        out += `${[series.name, tags, ...cells].map(field).join(',')}\n`;
      }
    }
  }
  return out;
}

export function errorCsv(message: string): string {
  return `error\n${field(message)}\n`;
}
