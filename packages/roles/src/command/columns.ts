export type ColumnsOptions = {
  /** Narrowest cell, padding included. */
  readonly minWidth?: number;
  /** Blanks behind the widest cell of a column. */
  readonly padding: number;
};

/**
 * Text in columns as Go's text/tabwriter lays it out: every cell but the last of its line is padded to the widest of its
 * column, and a column is a run of neighbouring lines that all have that cell. Widths count code points.
 */
export function inColumns(lines: readonly (readonly string[])[], options: ColumnsOptions): string {
  const widths = lines.map((cells) => new Array<number>(cells.length).fill(0));
  const deepest = lines.reduce((max, cells) => Math.max(max, cells.length), 0);
  for (let column = 0; column < deepest - 1; column++) {
    for (let start = 0; start < lines.length; start++) {
      let end = start;
      let widest = 0;
      while (end < lines.length && lines[end]!.length > column + 1) {
        widest = Math.max(widest, [...lines[end]![column]!].length);
        end++;
      }
      const width = Math.max(options.minWidth ?? 0, widest + options.padding);
      for (let i = start; i < end; i++) widths[i]![column] = width;
      start = Math.max(start, end - 1);
    }
  }
  return lines
    .map((cells, row) =>
      cells
        .map((cell, column) =>
          column === cells.length - 1
            ? cell
            : cell + ' '.repeat(Math.max(0, widths[row]![column]! - [...cell].length)),
        )
        .join(''),
    )
    .map((line) => `${line}\n`)
    .join('');
}
