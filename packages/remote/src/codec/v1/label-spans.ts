/** Tags of Label inside TimeSeries, and of its name and value: fields 1, 1 and 2, bytes. */
const LABEL = 0x0a;
const NAME = 0x0a;
const VALUE = 0x12;
const METRIC_NAME = new TextEncoder().encode('__name__');

/**
 * Finds names and values of the label fields in `data[start, end)` as `Appender.seriesOfUtf8` takes them, without making
 * strings. Returns the number of labels; −1 for whatever a usual sender does not write: labels out of order, given
 * twice, empty or very long, no metric name, other fields, malformed bytes. Those are for `decodeLabels`.
 */
export function readLabelSpans(
  data: Uint8Array,
  start: number,
  end: number,
  spans: Uint32Array,
): number {
  let count = 0;
  let hasMetricName = false;
  let at = start;
  while (at < end) {
    const to = count * 4;
    if (data[at] !== LABEL || to + 4 > spans.length) return -1;
    const labelBytes = lengthAt(data, at + 1);
    const inside = at + 1 + sizeOf(labelBytes);
    const labelEnd = inside + labelBytes;
    if (labelBytes < 0 || labelEnd > end || data[inside] !== NAME) return -1;
    const nameBytes = lengthAt(data, inside + 1);
    const nameStart = inside + 1 + sizeOf(nameBytes);
    const nameEnd = nameStart + nameBytes;
    if (nameBytes <= 0 || nameEnd >= labelEnd || data[nameEnd] !== VALUE) return -1;
    const valueBytes = lengthAt(data, nameEnd + 1);
    const valueStart = nameEnd + 1 + sizeOf(valueBytes);
    if (valueBytes <= 0 || valueStart + valueBytes !== labelEnd) return -1;
    spans[to] = nameStart;
    spans[to + 1] = nameEnd;
    spans[to + 2] = valueStart;
    spans[to + 3] = labelEnd;
    if (count > 0 && !isBefore(data, spans, to - 4, to)) return -1;
    if (!hasMetricName) hasMetricName = isMetricName(data, nameStart, nameEnd);
    count++;
    at = labelEnd;
  }
  return hasMetricName ? count : -1;
}

/** A varint below 2^14 in its shortest form; −1 for others. */
function lengthAt(data: Uint8Array, at: number): number {
  const first = data[at]!;
  if (first < 0x80) return first;
  const second = data[at + 1]!;
  return second === 0 || !(second < 0x80) ? -1 : (first & 0x7f) | (second << 7);
}

function sizeOf(length: number): number {
  return length < 0x80 ? 1 : 2;
}

/** Whether the name of the label at `a` of the spans sorts before the one at `b`. */
function isBefore(data: Uint8Array, spans: Uint32Array, a: number, b: number): boolean {
  let i = spans[a]!;
  let j = spans[b]!;
  const endI = spans[a + 1]!;
  const endJ = spans[b + 1]!;
  for (; i < endI && j < endJ; i++, j++) {
    const difference = data[i]! - data[j]!;
    if (difference !== 0) return difference < 0;
  }
  return endJ - j > endI - i;
}

function isMetricName(data: Uint8Array, start: number, end: number): boolean {
  if (end - start !== METRIC_NAME.length) return false;
  for (let i = 0; i < METRIC_NAME.length; i++) {
    if (data[start + i] !== METRIC_NAME[i]) return false;
  }
  return true;
}
