import {
  escapeUrlQuery,
  FunctionError,
  type Functions,
  formatFloat,
  fourDigits,
  type GoFunctionSpec,
  GoMap,
  GoScalar,
  GoStruct,
  GoTime,
  goDuration,
  HTML_TYPE,
  humanizeDuration,
  type ParamType,
  titleWords,
  toFloat,
  toLower,
  toUpper,
  type Value,
} from '@pollux/gotemplate';
import { compareText, compileRe2, parseDuration, replaceAllRe2 } from '@pollux/model';
import { graphLink, tableLink } from '../links.ts';
import type { RuleVector } from '../rule-query.ts';
import { splitHostPort, stripDomain } from './host-port.ts';
import { humanize, humanize1024, humanizePercentage } from './humanize.ts';
import {
  QUERY_RESULT_PARAM,
  queryResultItems,
  queryResultOf,
  queryResultValue,
  SAMPLE_PARAM,
} from './values.ts';

export type TemplateContext = {
  /** Evaluates an expression at the alert's instant. */
  readonly query: (expression: string) => Promise<RuleVector>;
  readonly nowMs: number;
  readonly externalUrl: string;
};

/** The functions of Prometheus' alert templates besides Go's own. */
export function templateFunctions(context: TemplateContext): Functions {
  return {
    ...queryFunctions(context),
    ...TEXT_FUNCTIONS,
    ...NUMBER_FUNCTIONS,
    now: { params: [], call: () => context.nowMs / 1000 },
    externalURL: { params: [], call: () => context.externalUrl },
    pathPrefix: { params: [], call: () => pathOf(context.externalUrl) },
  };
}

/** The same names, for checking templates before any evaluation. */
export function templateFunctionNames(): Functions {
  return templateFunctions({
    query: () => Promise.reject(new FunctionError('not evaluated')),
    nowMs: 0,
    externalUrl: '',
  });
}

function queryFunctions(context: TemplateContext): Functions {
  return {
    query: {
      params: ['string'],
      call: async ([expression]) => {
        try {
          return queryResultValue(await context.query(expression as string));
        } catch (error) {
          throw new FunctionError(error instanceof Error ? error.message : String(error));
        }
      },
    },
    first: {
      params: [QUERY_RESULT_PARAM],
      call: ([result]) => {
        const [first] = queryResultItems(result ?? null);
        if (first === undefined) {
          throw new FunctionError('first() called on vector with no elements');
        }
        return first;
      },
    },
    label: {
      params: ['string', SAMPLE_PARAM],
      call: ([name, sample]) => labelOf(sample ?? null, name as string),
    },
    value: {
      params: [SAMPLE_PARAM],
      call: ([sample]) =>
        sample instanceof GoStruct ? (sample.fields.Value ?? null) : nilSample(),
    },
    strvalue: {
      params: [SAMPLE_PARAM],
      call: ([sample]) => labelOf(sample ?? null, '__value__'),
    },
    sortByLabel: {
      params: ['string', QUERY_RESULT_PARAM],
      call: ([name, result]) => {
        const items = [...queryResultItems(result ?? null)];
        const key = (item: GoStruct): string => labelOf(item, name as string);
        return queryResultOf(items.sort((a, b) => compareText(key(a), key(b))));
      },
    },
    args: {
      params: [],
      variadic: 'any',
      call: (args) =>
        new GoMap(
          { name: 'map[string]interface {}', zero: null },
          new Map(args.map((value, index) => [`arg${index}`, value])),
        ),
    },
  };
}

function labelOf(sample: Value, name: string): string {
  if (!(sample instanceof GoStruct)) return nilSample();
  const labels = sample.fields.Labels;
  const value = labels instanceof GoMap ? labels.entries.get(name) : undefined;
  return typeof value === 'string' ? value : '';
}

function nilSample(): never {
  throw new FunctionError('runtime error: invalid memory address or nil pointer dereference');
}

function textFunction(convert: (text: string) => Value): GoFunctionSpec {
  return { params: ['string'], call: ([text]) => convert(text as string) };
}

function numberFunction(convert: (value: number) => Value): GoFunctionSpec {
  const params: readonly ParamType[] = ['any'];
  return { params, call: ([value]) => convert(toFloat(value ?? null)) };
}

const TEXT_FUNCTIONS: Functions = {
  reReplaceAll: {
    params: ['string', 'string', 'string'],
    call: ([pattern, replacement, text]) =>
      replaceAllRe2(compileForReplacing(pattern as string), text as string, replacement as string),
  },
  match: {
    params: ['string', 'string'],
    call: ([pattern, text]) =>
      compileRe2(pattern as string)
        .matcher(text as string)
        .find(),
  },
  safeHtml: textFunction((text) => new GoScalar(HTML_TYPE, text)),
  title: textFunction((text) => titleWords(text, { keepsRest: true })),
  toUpper: textFunction(toUpper),
  toLower: textFunction(toLower),
  graphLink: textFunction(graphLink),
  tableLink: textFunction(tableLink),
  urlQueryEscape: textFunction(escapeUrlQuery),
  stripPort: textFunction((text) => splitHostPort(text)?.host ?? text),
  stripDomain: textFunction(stripDomain),
  parseDuration: textFunction((text) => parseDuration(text) / 1000),
};

const NUMBER_FUNCTIONS: Functions = {
  humanize: numberFunction(humanize),
  humanize1024: numberFunction(humanize1024),
  humanizeDuration: numberFunction(humanizeDuration),
  humanizePercentage: numberFunction(humanizePercentage),
  humanizeTimestamp: numberFunction((value) =>
    Number.isFinite(value) ? timeOf(value).format(TIME_LAYOUT) : fourDigits(value),
  ),
  toTime: numberFunction(timeOf),
  toDuration: numberFunction((value) => goDuration(nanosOf(value), { isPointer: true })),
};

const TIME_LAYOUT = '2006-01-02 15:04:05.999999999 -0700 MST';
const NANOS_PER_SECOND = 1e9;
const NANOS_PER_MS = 1_000_000n;
/** Nanoseconds that an int64 holds. */
const MAX_NANOS = 2 ** 63;

function timeOf(seconds: number): GoTime {
  if (!Number.isFinite(seconds)) throw new FunctionError('value is NaN or Inf');
  const nanos = seconds * NANOS_PER_SECOND;
  if (Math.abs(nanos) > MAX_NANOS) {
    throw new FunctionError(
      `${formatFloat(seconds, 'g', -1)} cannot be represented as a nanoseconds timestamp since it overflows int64`,
    );
  }
  // Prometheus' times are of whole milliseconds.
  const wholeMs = BigInt(Math.trunc(nanos)) / NANOS_PER_MS;
  return new GoTime(wholeMs * NANOS_PER_MS, { isPointer: true });
}

/** Go's conversion on amd64: what does not fit becomes the least integer. */
function nanosOf(seconds: number): bigint {
  const nanos = Math.trunc(seconds * NANOS_PER_SECOND);
  return Math.abs(nanos) < MAX_NANOS ? BigInt(nanos) : -(2n ** 63n);
}

/** Upstream compiles in a way that panics, which shows in its words. */
function compileForReplacing(pattern: string): ReturnType<typeof compileRe2> {
  try {
    return compileRe2(pattern);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new FunctionError(`regexp: Compile(\`${pattern}\`): ${error.message}`, { cause: error });
  }
}

/** The path of the external URL, without a trailing slash of the root. */
function pathOf(url: string): string {
  if (!URL.canParse(url)) return '';
  const { pathname } = new URL(url);
  return pathname === '/' && !url.endsWith('/') ? '' : pathname;
}
