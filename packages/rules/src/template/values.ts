import {
  type CustomParam,
  GoList,
  GoStruct,
  type GoType,
  stringMap,
  type Value,
} from '@pollux/gotemplate';
import type { FloatHistogram, Labels } from '@pollux/model';
import { histogramText } from '@pollux/promql';
import type { RuleVector } from '../rule-query.ts';

const SAMPLE: GoType = { name: '*template.sample' };
const QUERY_RESULT: GoType = { name: 'template.queryResult' };
const HISTOGRAM: GoType = {
  name: '*histogram.FloatHistogram',
  methods: { String: { params: [], call: (self) => fieldOf(self, 'text') } },
};
export const SAMPLE_PARAM: CustomParam = {
  name: '*template.sample',
  nilable: true,
  accepts: (value) => value === null || (value instanceof GoStruct && value.type === SAMPLE),
};

export const QUERY_RESULT_PARAM: CustomParam = {
  name: 'template.queryResult',
  nilable: true,
  accepts: (value) => value === null || (value instanceof GoList && value.type === QUERY_RESULT),
};

export function labelsValue(labels: Labels): Value {
  return stringMap(labels);
}

/** A float, or a histogram that prints as Prometheus prints it. */
export function elementValue(value: number, histogram: FloatHistogram | null): Value {
  if (histogram === null) return value;
  return new GoStruct(HISTOGRAM, { text: histogramText(histogram) });
}

export function queryResultValue(vector: RuleVector): Value {
  const items = vector.labels.map(
    (labels, index) =>
      new GoStruct(SAMPLE, { Labels: labelsValue(labels), Value: vector.values[index]! }),
  );
  return new GoList(QUERY_RESULT, items);
}

export function queryResultItems(value: Value): readonly GoStruct[] {
  return value instanceof GoList ? (value.items as readonly GoStruct[]) : [];
}

export function queryResultOf(items: readonly GoStruct[]): Value {
  return new GoList(QUERY_RESULT, items);
}

function fieldOf(value: Value, name: string): Value {
  return value instanceof GoStruct ? (value.fields[name] ?? null) : null;
}
