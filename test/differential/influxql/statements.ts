import { Dice } from './dice.ts';
import { BEGIN_S, FIELDS, MEASUREMENTS, TAGS, VALUES } from './lines.ts';

const NUMBERS = ['f', 'g', 'i'];
const AGGREGATES = ['count', 'mean', 'sum', 'spread', 'median', 'stddev', 'mode'];
const SELECTORS = ['first', 'last', 'min', 'max'];
const OVER_AGGREGATES = [
  'derivative',
  'difference',
  'non_negative_derivative',
  'non_negative_difference',
  'cumulative_sum',
];
/** What depends on the order of points: influxd goes the way that ORDER BY says. */
const IN_ORDER = /derivative|difference|cumulative|previous|linear|top|bottom|distinct/;
const SINGLE_SOURCES = MEASUREMENTS.map(quoted);
const WIDTHS = ['1h', '6h', '1d', '12h', '90m', '1w'];

/**
 * A statement that reads. The same seed gives the same text. Left out is what the two are known to answer differently:
 *
 * - influxd 1.6 loses rows: OFFSET without LIMIT. It carries integral over from one series to the next, and counts a series once for each shard
 *   group in SHOW SERIES EXACT CARDINALITY. Which of several equal points comes first is left to chance.
 * - This store is wrong: several calls with tags in GROUP BY, or with fill(), where one of the fields has no points; `!=` and `''` on a text
 *   that a row lacks; SLIMIT over several measurements, several tags or with a condition; with ORDER BY time DESC what goes by the order
 *   of points; stddev of one point with fill(); tags of a subquery that are empty.
 */
export function statementOf(seed: number): string {
  const dice = new Dice(seed);
  return dice.once(6) ? showOf(dice) : selectOf(dice, true);
}

function selectOf(dice: Dice, mayNest: boolean): string {
  const isGrouped = dice.once(2);
  const isAggregate = isGrouped || dice.once(3);
  const isNested = mayNest && dice.once(8);
  const fields = isAggregate ? aggregatesOf(dice, isGrouped) : rawOf(dice, !isNested);
  const source = isNested ? `(${innerOf(dice)})` : sourceOf(dice);
  const width = dice.one(WIDTHS);
  const offset = dice.once(6) ? ',30m' : '';
  const isSeveral = isAggregate && /\), /.test(fields);
  const groups = [
    ...(isGrouped ? [`time(${width}${offset})`] : []),
    ...(isSeveral
      ? []
      : dice.once(3)
        ? dice.some(TAGS, 1, 2).map(quoted)
        : dice.once(5)
          ? ['*']
          : []),
  ];
  const fill =
    isGrouped && !/stddev|, /.test(fields) && dice.once(2)
      ? ` fill(${dice.one(['none', '0', 'previous', 'linear', 'null'])})`
      : '';
  const mayTurn = !isNested && (!isAggregate || (isGrouped && !IN_ORDER.test(`${fields}${fill}`)));
  const where = whereOf(dice, isGrouped);
  const mayCut =
    where === '' && groups.length === 1 && groups[0] !== '*' && SINGLE_SOURCES.includes(source);
  return [
    `SELECT ${fields} FROM ${source}`,
    where,
    groups.length === 0 ? '' : ` GROUP BY ${groups.join(', ')}${fill}`,
    mayTurn && dice.once(5) ? ' ORDER BY time DESC' : '',
    !/top|bottom/.test(fields) && dice.once(4)
      ? ` LIMIT ${1 + dice.below(5)}${dice.once(3) ? ` OFFSET ${dice.below(4)}` : ''}`
      : '',
    mayCut && dice.once(3) ? ` SLIMIT ${1 + dice.below(3)} SOFFSET ${dice.below(3)}` : '',
    dice.once(12) ? " tz('Asia/Shanghai')" : '',
  ].join('');
}

/** A statement in parentheses: its columns have the names of fields. */
function innerOf(dice: Dice): string {
  const field = dice.one(NUMBERS);
  const call = dice.one([`max(${field}) AS ${field}`, `mean(${field}) AS f`, field, `${field}, i`]);
  const isGrouped = /\(/.test(call) && dice.once(2);
  const groups = [
    ...(isGrouped ? [`time(${dice.one(['1h', '6h'])})`] : []),
    ...dice.some(TAGS, 0, 2).map(quoted),
  ];
  const where = whereOf(dice, true);
  return `SELECT ${call} FROM ${sourceOf(dice)}${where}${groups.length > 0 ? ` GROUP BY ${groups.join(', ')}` : ''}`;
}

function rawOf(dice: Dice, hasTags: boolean): string {
  if (dice.once(4)) return '*';
  const fields = Object.keys(FIELDS);
  return [
    ...dice.some(fields, 1, 3),
    ...(hasTags && dice.once(3) ? [quoted(dice.one(TAGS))] : []),
    ...(dice.once(4)
      ? [`${dice.one(NUMBERS)} ${dice.one(['+', '-', '*', '/'])} ${1 + dice.below(9)}`]
      : []),
    ...(dice.once(6) ? [`${dice.one(['abs', 'ceil', 'floor', 'round', 'sqrt'])}(f)`] : []),
  ].join(', ');
}

function aggregatesOf(dice: Dice, isGrouped: boolean): string {
  const call = (): string => {
    const field = dice.one(NUMBERS);
    if (dice.once(6)) return `count(${dice.one(Object.keys(FIELDS))})`;
    if (isGrouped && dice.once(8)) return `percentile(${field}, ${dice.one([1, 50, 90, 100])})`;
    return `${dice.one([...AGGREGATES, ...SELECTORS])}(${field})`;
  };
  if (isGrouped && dice.once(4)) return `${dice.one(OVER_AGGREGATES)}(mean(${dice.one(NUMBERS)}))`;
  if (dice.once(12)) return `distinct(${dice.one(Object.keys(FIELDS))})`;
  if (dice.once(12))
    return `${dice.one(['top', 'bottom'])}(${dice.one(NUMBERS)}, ${1 + dice.below(4)})`;
  if (dice.once(8)) return `${call()} ${dice.one(['+', '*', '-', '/'])} ${1 + dice.below(5)}`;
  return Array.from({ length: dice.once(3) ? 2 + dice.below(2) : 1 }, call).join(', ');
}

function sourceOf(dice: Dice): string {
  if (dice.once(8)) return dice.one(['/./', '/^[mn]$/', '/o|q/']);
  if (dice.once(8)) return dice.some(MEASUREMENTS, 2, 3).map(quoted).join(', ');
  return quoted(dice.one(MEASUREMENTS));
}

function whereOf(dice: Dice, needsTime: boolean): string {
  const conditions: string[] = [];
  if (needsTime || dice.once(2)) {
    const from = BEGIN_S + dice.below(9) * 86_400 + dice.below(24) * 3_600;
    const to = from + (1 + dice.below(36)) * 3_600;
    conditions.push(`time >= ${from}s`, `time ${dice.one(['<', '<='])} ${to}s`);
  }
  if (dice.once(3)) conditions.push(tagCondition(dice));
  if (dice.once(4)) conditions.push(fieldCondition(dice));
  if (dice.once(10)) conditions.push(`(${tagCondition(dice)} OR ${tagCondition(dice)})`);
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

function tagCondition(dice: Dice): string {
  const tag = quoted(dice.one(TAGS));
  if (dice.once(3))
    return `${tag} ${dice.one(['=~', '!~'])} ${dice.one(['/a|b/', '/^x/', '/^$/', '/./'])}`;
  return `${tag} ${dice.one(['=', '!=', '<>'])} '${dice.one([...VALUES, ''])}'`;
}

function fieldCondition(dice: Dice): string {
  if (dice.once(5)) return `b = ${dice.one(['true', 'false'])}`;
  if (dice.once(5)) return "s = 'a'";
  return `${dice.one(NUMBERS)} ${dice.one(['>', '<', '>=', '<=', '=', '!='])} ${dice.below(60)}`;
}

function showOf(dice: Dice): string {
  const from = dice.once(2) ? ` FROM ${sourceOf(dice)}` : '';
  const where = dice.once(2) ? ` WHERE ${tagCondition(dice)}` : '';
  const limit = dice.once(3)
    ? ` LIMIT ${1 + dice.below(4)}${dice.once(2) ? ` OFFSET ${dice.below(3)}` : ''}`
    : '';
  switch (dice.below(6)) {
    case 0:
      return `SHOW MEASUREMENTS${dice.once(2) ? ` WITH MEASUREMENT =~ /${dice.one(['m', 'n|o'])}/` : ''}${limit}`;
    case 1:
      return `SHOW SERIES${from}${where}${limit}`;
    case 2:
      return `SHOW TAG KEYS${from}${where}${limit}`;
    case 3:
      return `SHOW TAG VALUES${from} WITH KEY ${dice.one(['= host', 'IN (host, region)', '=~ /o/', '!= host'])}${where}${limit}`;
    case 4:
      return `SHOW FIELD KEYS${from}${limit}`;
    default:
      return `SHOW TAG VALUES EXACT CARDINALITY${from} WITH KEY = host`;
  }
}

function quoted(name: string): string {
  return /^[a-z]\w*$/i.test(name) ? name : `"${name}"`;
}
