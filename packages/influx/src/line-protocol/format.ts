import type { PointColumns, SeriesKey } from '@pollux/storage';

const NANOS_PER_MS = 1_000_000n;

/** The batch as lines with times in nanoseconds. NaN and infinities, which line protocol cannot hold, are left out. */
export function formatLines(batch: PointColumns): string[] {
  const { count, series, fields, seriesOf, fieldOf, pointOf, timesMs, nanos, texts } = batch;
  const integers = new BigInt64Array(batch.cells.buffer, batch.cells.byteOffset, count);
  const unsigned = new BigUint64Array(batch.cells.buffer, batch.cells.byteOffset, count);
  const keys = series.map(formatKey);
  const names = fields.map(({ name }) => escapeName(name));
  const lines: string[] = [];
  for (let from = 0; from < count; ) {
    let to = from + 1;
    while (pointOf !== null && to < count && pointOf[to] === pointOf[from]) to++;
    let values = '';
    for (let i = from; i < to; i++) {
      const field = fieldOf[i]!;
      const value = batch.cells[i]!;
      let text: string;
      switch (fields[field]!.kind) {
        case 'float':
          if (!Number.isFinite(value)) continue;
          text = String(value);
          break;
        case 'integer':
          text = `${integers[i]}i`;
          break;
        case 'unsigned':
          text = `${unsigned[i]}u`;
          break;
        case 'boolean':
          text = value === 1 ? 'true' : 'false';
          break;
        default:
          text = `"${texts[value]!.replace(/["\\]/g, '\\$&')}"`;
      }
      values += `${values === '' ? '' : ','}${names[field]}=${text}`;
    }
    if (values !== '') {
      const time = BigInt(timesMs[from]!) * NANOS_PER_MS + BigInt(nanos?.[from] ?? 0);
      lines.push(`${keys[seriesOf[from]!]} ${values} ${time}`);
    }
    from = to;
  }
  return lines;
}

function formatKey({ measurement, tags }: SeriesKey): string {
  let key = measurement.replace(/[, ]/g, '\\$&');
  for (const [name, value] of tags) key += `,${escapeName(name)}=${escapeName(value)}`;
  return key;
}

function escapeName(name: string): string {
  return name.replace(/[, =]/g, '\\$&');
}
