import { Dice } from './dice.ts';

/** A Monday, so that both stores' shard groups of a week begin there. */
export const BEGIN_S = 1_699_833_600;
/** Two shard groups. */
const SPAN_S = 10 * 86_400;
const STEP_S = 900;

export const MEASUREMENTS = ['m', 'n', 'o p', 'q,r'];
export const TAGS = ['host', 'region', 'k v'];
export const VALUES = ['a', 'b', 'x y', 'ü', '1'];
export const FIELDS = { f: 'float', g: 'float', i: 'integer', b: 'boolean', s: 'string' } as const;

/** What a writer may get wrong, as a change of a good line. */
const FAULTS: readonly ((line: string) => string)[] = [
  (line) => line.replace(/ [^ ]+ \d+$/, ''),
  (line) => line.replace('=', ''),
  (line) => `${line}x`,
  (line) => line.replace(/=([^ ,]*)( \d+)?$/, '=$2'),
  (line) => line.replace(' ', ',host=a,host=a '),
  (line) => line.replace(/ (\w)/, ' $1='),
  (line) => line.replace(/=(\S+)/, '="$1'),
  (line) => line.replace(/\d+i/, '1.5i'),
  (line) => line.replace(/\d+i/, '9223372036854775808i'),
  (line) => line.replace(/true|false/, 'yes'),
  (line) => line.replace(/(\d)\.(\d)/, '$1.$2.3'),
  (line) => `,${line}`,
  (line) => line.replace(' ', ', '),
  (line) => line.replace(/ (\d+)$/, ' $1.5'),
  (line) => line.replace(/ (\d+)$/, ' 99999999999999999999'),
];

export type Batch = {
  readonly body: string;
  readonly precision: string;
  readonly isBad: boolean;
};

const MAX_LINES = 8;

/**
 * A request to /write. Some are bad: one line has a fault. What these leave in influxd is not asked about: it
 * keeps series of points that it refused. No two good points of a measurement have one time: which of them comes first in an answer is
 * left to chance there.
 */
export function batchOf(seed: number, number: number): Batch {
  const dice = new Dice(seed + number);
  const precision = dice.one(['ns', 's', 'ms', 'u']);
  const count = 1 + dice.below(MAX_LINES);
  const isBad = dice.once(3);
  const wrong = isBad ? dice.below(count) : -1;
  const lines = Array.from({ length: count }, (_, i) => {
    const second = (number * MAX_LINES + i) % STEP_S;
    const line = lineOf(dice, precision, second);
    return i === wrong ? dice.one(FAULTS)(line) : line;
  });
  if (dice.once(8)) lines.splice(dice.below(lines.length), 0, dice.one(['', '# remark', '  ']));
  return { body: lines.join('\n'), precision, isBad };
}

function lineOf(dice: Dice, precision: string, second: number): string {
  const tags = dice
    .some(TAGS, 0, 3)
    .map((tag) => `,${escaped(tag)}=${escaped(dice.one(VALUES))}`)
    .join('');
  const fields = dice
    .some(Object.entries(FIELDS), 1, 4)
    .map(([name, type]) => `${name}=${textOf(dice, type)}`)
    .join(',');
  const seconds = BEGIN_S + dice.below(SPAN_S / STEP_S) * STEP_S + second;
  const zeros = { ns: '000000000', u: '000000', ms: '000', s: '' }[precision];
  return `${dice.one(MEASUREMENTS).replace(/[, ]/g, '\\$&')}${tags} ${fields} ${seconds}${zeros}`;
}

function textOf(dice: Dice, type: string): string {
  switch (type) {
    case 'float':
      return dice.one([
        String(dice.below(100)),
        `${dice.below(100)}.${dice.below(100)}`,
        '-1e-3',
        '.5',
      ]);
    case 'integer':
      return `${dice.below(200) - 100}i`;
    case 'boolean':
      return dice.one(['true', 'false', 't', 'F', 'TRUE']);
    default:
      return `"${dice.one(['', 'a', 'he said \\"x\\"', 'b\\\\c', 'x, y=z'])}"`;
  }
}

function escaped(name: string): string {
  return name.replace(/[, =]/g, '\\$&');
}
