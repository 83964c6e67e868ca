/** What a layout of Go's time package is made of: texts as they are and elements of the reference time. */
export type LayoutPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'element'; readonly element: string };

/** Longest first where one begins another. `_2006` is an underscore and a year. */
const ELEMENT =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|_(?=2006)|__2|_2|3|4|5|PM|pm|-07(?:00(?:00)?|:00(?::00)?)?|Z07(?:00(?:00)?|:00(?::00)?)|Z07|[.,](?:0+|9+)(?![0-9])/g;

/** Cuts a layout such as `Mon Jan 2 15:04:05 MST 2006` into its parts. */
export function layoutParts(layout: string): LayoutPart[] {
  const parts: LayoutPart[] = [];
  let from = 0;
  for (const match of layout.matchAll(ELEMENT)) {
    if (match[0] === '_') continue;
    if (match.index > from) parts.push({ kind: 'text', text: layout.slice(from, match.index) });
    parts.push({ kind: 'element', element: match[0] });
    from = match.index + match[0].length;
  }
  if (from < layout.length) parts.push({ kind: 'text', text: layout.slice(from) });
  return parts;
}

export const MONTHS: readonly string[] = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

export const WEEKDAYS: readonly string[] = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
];
