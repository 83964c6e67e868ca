import { FunctionError } from '../errors.ts';
import { printAll, printPointed, printValue } from '../format/print.ts';
import { toJson } from '../library/json.ts';
import { GoTime } from '../time/time.ts';
import {
  CSS_TYPE,
  type GoFunctionSpec,
  GoScalar,
  HTML_ATTRIBUTE_TYPE,
  HTML_TYPE,
  JS_STRING_TYPE,
  JS_TYPE,
  methodOf,
  SRCSET_TYPE,
  typeOf,
  URL_TYPE,
  type Value,
} from '../value.ts';
import { attributeKind } from './attributes.ts';
import { ESCAPER_PREFIX, type EscaperName, EVALUATE_ARGUMENTS } from './pipeline.ts';
import { decodeStyle } from './scan-style.ts';
import { stripTags } from './strip-tags.ts';
import { escapeSourceSet, escapeUrl, isSafeUrl, normalizeUrl } from './url-escapers.ts';

/** Stands where a value was refused, as Go's own word for it: users search for it. */
export const REFUSED = 'ZgotmplZ';

/** A value as text, and the type that says for which place the text is fit as it is. */
type Content = { readonly text: string; readonly type: Value | object | null };

const ESCAPERS: Readonly<Record<EscaperName, (values: readonly Value[]) => string>> = {
  htmlescaper: (values) => textOrHtml(values, (html) => html),
  rcdataescaper: (values) => textOrHtml(values, (html) => replaceAll(html, keptReferences)),
  attrescaper: (values) =>
    textOrHtml(values, (html) => replaceAll(stripTags(html), keptReferences)),
  nospaceescaper: (values) => {
    const { text, type } = contentOf(values);
    if (text === '') return REFUSED;
    return type === HTML_TYPE
      ? replaceAll(withoutNonCharacters(stripTags(text)), (character) =>
          character === '&' ? '&' : UNQUOTED[character],
        )
      : replaceAll(withoutNonCharacters(text), (character) => UNQUOTED[character]);
  },
  commentescaper: () => '',
  htmlnamefilter: nameFilter,
  urlfilter: (values) => {
    const { text, type } = contentOf(values);
    return type === URL_TYPE || isSafeUrl(text) ? text : `#${REFUSED}`;
  },
  urlescaper: (values) => {
    const { text, type } = contentOf(values);
    return type === URL_TYPE ? normalizeUrl(text) : escapeUrl(text);
  },
  urlnormalizer: (values) => normalizeUrl(contentOf(values).text),
  srcsetescaper: (values) => {
    const { text, type } = contentOf(values);
    if (type === SRCSET_TYPE) return text;
    if (type === URL_TYPE) return normalizeUrl(text).replaceAll(',', '%2c');
    return escapeSourceSet(text, REFUSED);
  },
  cssescaper: (values) => escapeStyle(contentOf(values).text),
  cssvaluefilter: styleFilter,
  jsvalescaper: scriptValue,
  jsstrescaper: (values) => {
    const { text, type } = contentOf(values);
    const isEscaped = type === JS_STRING_TYPE;
    return replaceAll(text, (character) =>
      character === '\\' && isEscaped ? undefined : SCRIPT_STRING[character],
    );
  },
  jstmpllitescaper: (values) =>
    replaceAll(contentOf(values).text, (character) => SCRIPT_TEMPLATE[character]),
  jsregexpescaper: (values) => {
    const escaped = replaceAll(contentOf(values).text, (character) => SCRIPT_PATTERN[character]);
    // An empty pattern would make a line comment.
    return escaped === '' ? '(?:)' : escaped;
  },
};

/** The functions that escaped templates call. */
export function escaperFunctions(): Readonly<Record<string, GoFunctionSpec>> {
  const functions: Record<string, GoFunctionSpec> = {
    [EVALUATE_ARGUMENTS]: { params: [], variadic: 'any', call: (values) => joinedText(values) },
  };
  for (const [name, call] of Object.entries(ESCAPERS)) {
    functions[ESCAPER_PREFIX + name] = { params: [], variadic: 'any', call };
  }
  return functions;
}

function contentOf(values: readonly Value[]): Content {
  const [only = null] = values;
  if (values.length === 1 && typeof only === 'string') return { text: only, type: null };
  if (values.length === 1 && only instanceof GoScalar && typeof only.value === 'string') {
    if (CONTENT_TYPES.has(only.type)) return { text: only.value, type: only.type };
  }
  return { text: joinedText(values), type: null };
}

const CONTENT_TYPES: ReadonlySet<object> = new Set([
  CSS_TYPE,
  HTML_TYPE,
  HTML_ATTRIBUTE_TYPE,
  JS_TYPE,
  JS_STRING_TYPE,
  URL_TYPE,
  SRCSET_TYPE,
]);

/** As print shows them; nil is nothing. */
function joinedText(values: readonly Value[]): string {
  return printAll(
    values.filter((value) => value !== null),
    printPointed,
  );
}

const HTML: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '"': '&#34;',
  '&': '&amp;',
  "'": '&#39;',
  '+': '&#43;',
  '<': '&lt;',
  '>': '&gt;',
};

const UNQUOTED: Readonly<Record<string, string>> = {
  ...HTML,
  '\0': '&#xfffd;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\v': '&#11;',
  '\f': '&#12;',
  '\r': '&#13;',
  ' ': '&#32;',
  '=': '&#61;',
  '`': '&#96;',
};

function replaceAll(text: string, replacement: (character: string) => string | undefined): string {
  let out = '';
  for (const character of text) out += replacement(character) ?? character;
  return out;
}

/** HTML may hold references, so its ampersands stay. */
function keptReferences(character: string): string | undefined {
  return character === '&' ? undefined : HTML[character];
}

function textOrHtml(values: readonly Value[], html: (text: string) => string): string {
  const { text, type } = contentOf(values);
  return type === HTML_TYPE ? html(text) : replaceAll(text, (character) => HTML[character]);
}

/** Old browsers end an unquoted value at some non-characters. */
function withoutNonCharacters(text: string): string {
  return text.replace(
    /[\ufdd0-\ufdef\ufff0-\uffff]/g,
    (character) => `&#x${character.charCodeAt(0).toString(16)};`,
  );
}

function nameFilter(values: readonly Value[]): string {
  const { text, type } = contentOf(values);
  if (type === HTML_ATTRIBUTE_TYPE) return text;
  const name = text.toLowerCase();
  return /^[0-9a-z]+$/.test(name) && attributeKind(name) === 'plain' ? name : REFUSED;
}

const STYLE_CHARACTERS = /[\0\t\n\f\r"&'()+/:;<>\\{}]/g;

function escapeStyle(text: string): string {
  return text.replace(STYLE_CHARACTERS, (character, at: number) => {
    if (character === '\\') return '\\\\';
    const next = text[at + 1];
    // A blank keeps what follows from being read as a digit of the escape.
    const end = next === undefined || /[0-9a-fA-F\t\n\f\r ]/.test(next) ? ' ' : '';
    return `\\${character.charCodeAt(0).toString(16)}${end}`;
  });
}

function styleFilter(values: readonly Value[]): string {
  const { text, type } = contentOf(values);
  if (type === CSS_TYPE) return text;
  const decoded = decodeStyle(text);
  if (/[\0"'()/;@[\\\]`{}<>]|--/.test(decoded)) return REFUSED;
  const name = decoded.replace(/[^A-Za-z0-9_-]/g, '').toLowerCase();
  return /expression|mozbinding/.test(name) ? REFUSED : decoded;
}

function scriptValue(values: readonly Value[]): string {
  const [only = null] = values;
  if (values.length === 1 && typeOf(only) === JS_TYPE) return printValue(only);
  if (values.length === 1 && typeOf(only) === JS_STRING_TYPE) return `"${printValue(only)}"`;
  let json: string;
  try {
    json = toJson(values.length === 1 ? asScriptValue(only) : printAll(values));
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    return ` /* ${error.message.replaceAll('*/', '* /')} */null `;
  }
  // Blanks keep names and numbers from running into the words around them.
  const isWord = /^[\p{L}\p{N}_$]|[\p{L}\p{N}_$]$/u.test(json);
  return isWord ? ` ${json} ` : json;
}

/** What describes itself as text is that text, but for times, which have a form of their own in JSON. */
function asScriptValue(value: Value): Value {
  if (value instanceof GoTime) return value;
  return methodOf(value, 'String') === null ? value : printValue(value);
}

const CONTROLS: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 32 }, (_, code) => [
    String.fromCharCode(code),
    `\\u${code.toString(16).padStart(4, '0')}`,
  ]),
);

const SCRIPT_STRING: Readonly<Record<string, string>> = {
  ...CONTROLS,
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
  '"': '\\u0022',
  '`': '\\u0060',
  '&': '\\u0026',
  "'": '\\u0027',
  '+': '\\u002b',
  '/': '\\/',
  '<': '\\u003c',
  '>': '\\u003e',
  '\\': '\\\\',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

const SCRIPT_TEMPLATE: Readonly<Record<string, string>> = {
  ...SCRIPT_STRING,
  $: '\\u0024',
  '{': '\\u007b',
  '}': '\\u007d',
};

const SCRIPT_PATTERN: Readonly<Record<string, string>> = {
  ...SCRIPT_STRING,
  '`': '`',
  ...Object.fromEntries([...'$()*-.?[]^{|}'].map((character) => [character, `\\${character}`])),
};
