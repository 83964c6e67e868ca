import {
  escapeUrlQuery,
  FunctionError,
  type Functions,
  type GoFunctionSpec,
  GoMap,
  GoStruct,
  type ParamType,
  type Value,
} from '@pollux/gotemplate';
import { compareText, compileRe2, expandTemplate, parseDuration } from '@pollux/model';
import { graphLink, tableLink } from '../links.ts';
import type { RuleVector } from '../rule-query.ts';
import { splitHostPort, stripDomain } from './host-port.ts';
import { humanize, humanize1024, humanizeDuration, humanizePercentage, short } from './humanize.ts';
import {
  durationValue,
  formatTime,
  QUERY_RESULT_PARAM,
  queryResultItems,
  queryResultOf,
  queryResultValue,
  SAMPLE_PARAM,
  timeValue,
  toFloat,
} from './values.ts';

export type TemplateContext = {
  /** Evaluates an expression at the alert's instant. */
  readonly query: (expression: string) => Promise<RuleVector>;
  readonly nowMs: number;
  readonly externalUrl: string;
};

/** Most matches that one reReplaceAll rewrites; templates are no bulk editors. */
const MAX_REPLACEMENTS = 100_000;

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
      replaceAll(pattern as string, replacement as string, text as string),
  },
  match: {
    params: ['string', 'string'],
    call: ([pattern, text]) =>
      compileRe2(pattern as string)
        .matcher(text as string)
        .find(),
  },
  safeHtml: textFunction((text) => text),
  title: textFunction(titleCase),
  toUpper: textFunction((text) => text.toUpperCase()),
  toLower: textFunction((text) => text.toLowerCase()),
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
    Number.isFinite(value) ? formatTime(value) : short(value),
  ),
  toTime: numberFunction((value) => timeValue(finite(value))),
  toDuration: numberFunction((value) => durationValue(finite(value))),
};

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new FunctionError('value is NaN or Inf');
}

/** Go's regexp.ReplaceAllString: `$1`, `${name}` stand for groups. */
function replaceAll(pattern: string, replacement: string, text: string): string {
  const program = compileRe2(pattern);
  const matcher = program.matcher(text);
  let out = '';
  let at = 0;
  for (let count = 0; count < MAX_REPLACEMENTS && matcher.find(); count++) {
    out += text.slice(at, matcher.start());
    out += expandTemplate(replacement, (name) => {
      if (/^\d+$/.test(name)) {
        const index = Number(name);
        return index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '';
      }
      return program.namedGroups()[name] === undefined ? '' : (matcher.group(name) ?? '');
    });
    at = matcher.end();
  }
  return out + text.slice(at);
}

/** The first letter of each word in upper case, the rest as it is. */
function titleCase(text: string): string {
  return text.replace(
    /(^|[^\p{L}\p{M}\p{N}_'’])(\p{L})/gu,
    (_, before: string, letter: string) => before + letter.toUpperCase(),
  );
}

/** The path of the external URL, without a trailing slash of the root. */
function pathOf(url: string): string {
  if (!URL.canParse(url)) return '';
  const { pathname } = new URL(url);
  return pathname === '/' && !url.endsWith('/') ? '' : pathname;
}
