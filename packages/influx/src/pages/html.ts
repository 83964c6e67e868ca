import type { HttpResponse } from '@pollux/base';

/** Text that is markup already; everything else that is put into {@link html} is escaped. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Shown = string | number | Markup | readonly Markup[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A template of markup, whose values are escaped. */
export function html(parts: TemplateStringsArray, ...values: readonly Shown[]): Markup {
  let text = parts[0] ?? '';
  for (const [i, value] of values.entries()) text += shown(value) + (parts[i + 1] ?? '');
  return new Markup(text);
}

function shown(value: Shown): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return value.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
  return value.map(({ text }) => text).join('');
}

/** A table with a head, or the remark where there are no rows. Columns whose name ends in `#` are numbers. */
export function table(
  columns: readonly string[],
  rows: readonly (readonly (string | number | Markup)[])[],
  remark: string,
): Markup {
  if (rows.length === 0) return html`<p>${remark}</p>`;
  const style = (i: number): Markup => new Markup(columns[i]?.endsWith('#') ? ' class="n"' : '');
  const head = columns.map((name, i) => html`<th${style(i)}>${name.replace(/#$/, '')}</th>`);
  const body = rows.map(
    (cells) => html`<tr>${cells.map((cell, i) => html`<td${style(i)}>${cell}</td>`)}</tr>
`,
  );
  return html`<table>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody>
</table>`;
}

/** `12.3 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let size = bytes;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** Neither scripts nor anything from elsewhere: names that are shown were chosen by whoever writes to the store. */
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

const STYLE = new Markup(`<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left }
.n { text-align: right; font-variant-numeric: tabular-nums }
code { overflow-wrap: anywhere }
</style>`);

export function page(status: number, title: string, body: Markup): HttpResponse {
  const { text } = html`<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8"><meta name="viewport" content="width=device-width"><title>${title}</title>${STYLE}</head>
<body>
${body}
</body>
</html>
`;
  return { status, headers: HEADERS, body: text };
}
