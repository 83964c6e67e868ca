import type { ValueType } from './value-type.ts';

/** What the parser needs of a function; the engine keys its implementations by `name`. */
export type FunctionSignature = {
  readonly name: string;
  readonly args: readonly ValueType[];
  /** 0: all of `args`; n > 0: up to n of the last ones may be left out or added; −1: the last may be repeated or left out. */
  readonly variadic: number;
  readonly returns: ValueType;
  readonly isExperimental: boolean;
};

/** name: arguments -> result; `?n` is the count of optional ones, `*` any number; `!` marks an experimental function. */
const TABLE = `
abs: vector -> vector
absent: vector -> vector
absent_over_time: matrix -> vector
acos: vector -> vector
acosh: vector -> vector
asin: vector -> vector
asinh: vector -> vector
atan: vector -> vector
atanh: vector -> vector
avg_over_time: matrix -> vector
ceil: vector -> vector
changes: matrix -> vector
clamp: vector scalar scalar -> vector
clamp_max: vector scalar -> vector
clamp_min: vector scalar -> vector
cos: vector -> vector
cosh: vector -> vector
count_over_time: matrix -> vector
day_of_month: vector ?1 -> vector
day_of_week: vector ?1 -> vector
day_of_year: vector ?1 -> vector
days_in_month: vector ?1 -> vector
deg: vector -> vector
delta: matrix -> vector
deriv: matrix -> vector
double_exponential_smoothing!: matrix scalar scalar -> vector
end!: -> scalar
exp: vector -> vector
first_over_time: matrix -> vector
floor: vector -> vector
histogram_avg: vector -> vector
histogram_count: vector -> vector
histogram_fraction: scalar scalar vector -> vector
histogram_quantile: scalar vector -> vector
histogram_quantiles!: vector string scalar scalar ?9 -> vector
histogram_stddev: vector -> vector
histogram_stdvar: vector -> vector
histogram_sum: vector -> vector
hour: vector ?1 -> vector
idelta: matrix -> vector
increase: matrix -> vector
info!: vector vector ?1 -> vector
irate: matrix -> vector
label_join: vector string string string * -> vector
label_replace: vector string string string string -> vector
last_over_time: matrix -> vector
ln: vector -> vector
log10: vector -> vector
log2: vector -> vector
mad_over_time!: matrix -> vector
max_of!: scalar scalar -> scalar
max_over_time: matrix -> vector
min_of!: scalar scalar -> scalar
min_over_time: matrix -> vector
minute: vector ?1 -> vector
month: vector ?1 -> vector
pi: -> scalar
predict_linear: matrix scalar -> vector
present_over_time: matrix -> vector
quantile_over_time: scalar matrix -> vector
rad: vector -> vector
range!: -> scalar
rate: matrix -> vector
resets: matrix -> vector
round: vector scalar ?1 -> vector
scalar: vector -> scalar
sgn: vector -> vector
sin: vector -> vector
sinh: vector -> vector
sort: vector -> vector
sort_by_label!: vector string * -> vector
sort_by_label_desc!: vector string * -> vector
sort_desc: vector -> vector
sqrt: vector -> vector
start!: -> scalar
start_timestamp!: vector -> vector
stddev_over_time: matrix -> vector
stdvar_over_time: matrix -> vector
step!: -> scalar
sum_over_time: matrix -> vector
tan: vector -> vector
tanh: vector -> vector
time: -> scalar
timestamp: vector -> vector
ts_of_first_over_time!: matrix -> vector
ts_of_last_over_time!: matrix -> vector
ts_of_max_over_time!: matrix -> vector
ts_of_min_over_time!: matrix -> vector
vector: scalar -> vector
year: vector ?1 -> vector
`;

/** Every function of Prometheus 3.14, by name. Parser, engine, documentation and completion read this one table. */
export const FUNCTIONS: ReadonlyMap<string, FunctionSignature> = new Map(
  TABLE.trim().split('\n').map(parseRow),
);

function parseRow(row: string): readonly [string, FunctionSignature] {
  const [, name, mark, left, returns] = /^(\w+)(!?):\s*(.*?)\s*-> (\w+)$/.exec(row)!;
  const args: ValueType[] = [];
  let variadic = 0;
  for (const word of left!.split(' ')) {
    if (word === '*') variadic = -1;
    else if (word.startsWith('?')) variadic = Number(word.slice(1));
    else if (word !== '') args.push(word as ValueType);
  }
  return [
    name!,
    { name: name!, args, variadic, returns: returns as ValueType, isExperimental: mark === '!' },
  ];
}
