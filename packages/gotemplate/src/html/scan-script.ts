import { quote } from '../format/quote.ts';
import { type Context, failed, type Scan } from './context.ts';

/** Go looks anew behind each `<`, `-` and `#`, and then knows of the slash only what stood before it. */
const EVENT = /["'`/{}]|<(?:!--)?|-(?:->)?|#!?/;

/** To the next string, comment, regular expression or brace. */
export function scanScript(context: Context, text: string): Scan {
  const match = EVENT.exec(text);
  if (match === null) return [{ ...context, slash: slashAfter(text, context.slash) }, text.length];
  const [event] = match;
  const slash = slashAfter(text.slice(0, match.index), context.slash);
  const here: Context = { ...context, slash };
  const end = match.index + event.length;
  switch (event) {
    case '"':
      return [{ ...here, state: 'JSDqStr', slash: 'Regexp' }, end];
    case "'":
      return [{ ...here, state: 'JSSqStr', slash: 'Regexp' }, end];
    case '`':
      return [{ ...here, state: 'JSTmplLit', slash: 'Regexp' }, end];
    case '/':
      return scanSlash(here, text, match.index);
    case '<!--':
      return [{ ...here, state: 'JSHTMLOpenCmt' }, end];
    case '-->':
      return [{ ...here, state: 'JSHTMLCloseCmt' }, end];
    case '#!':
      return [{ ...here, state: 'JSLineCmt' }, end];
    case '{':
      return [countBrace(here, 1), end];
    case '}':
      return [countBrace(here, -1), end];
    default:
      return [here, end];
  }
}

function scanSlash(context: Context, text: string, at: number): Scan {
  const next = text[at + 1];
  if (next === '/') return [{ ...context, state: 'JSLineCmt' }, at + 2];
  if (next === '*') return [{ ...context, state: 'JSBlockCmt' }, at + 2];
  if (context.slash === 'Regexp') return [{ ...context, state: 'JSRegexp' }, at + 1];
  if (context.slash === 'DivOp') return [{ ...context, slash: 'Regexp' }, at + 1];
  const shown = quote([...text.slice(at)].slice(0, 32).join(''));
  return [failed(`'/' could start a division or regexp: ${shown}`), text.length];
}

/** Braces matter only inside `${…}`, whose closing one leads back into the template literal. */
function countBrace(context: Context, step: 1 | -1): Context {
  const outer = context.braces.slice(0, -1);
  const depth = context.braces.at(-1);
  // Behind a brace a statement begins, and so may a regular expression.
  if (depth === undefined) return { ...context, slash: 'Regexp' };
  if (depth + step >= 0) return { ...context, slash: 'Regexp', braces: [...outer, depth + step] };
  return { ...context, state: 'JSTmplLit', braces: outer };
}

export function scanTemplateLiteral(context: Context, text: string): Scan {
  for (const match of text.matchAll(/\\[\s\S]?|\$\{|`/g)) {
    const end = match.index + match[0].length;
    if (match[0] === '\\') return unfinished('JS string', text);
    if (match[0] === '`') return [{ ...context, state: 'JS' }, end];
    if (match[0] === '${') {
      return [{ ...context, state: 'JS', braces: [...context.braces, 0] }, end];
    }
  }
  return [context, text.length];
}

const LITERAL_EVENTS = {
  JSDqStr: /\\[\s\S]?|"/g,
  JSSqStr: /\\[\s\S]?|'/g,
  JSRegexp: /\\[\s\S]?|[/[\]]/g,
} as const;

/** To the end of a string or regular expression. */
export function scanScriptLiteral(context: Context, text: string): Scan {
  const { state } = context;
  if (state !== 'JSDqStr' && state !== 'JSSqStr' && state !== 'JSRegexp')
    return [context, text.length];
  let isInSet = false;
  for (const match of text.matchAll(LITERAL_EVENTS[state])) {
    const [event] = match;
    if (event === '\\') return unfinished('JS string', text);
    if (event.startsWith('\\')) continue;
    if (event === '[') isInSet = true;
    else if (event === ']') isInSet = false;
    // The slash of an end tag is escaped and thus ends nothing.
    else if (event === '/' && /^<\/script/i.test(text.slice(Math.max(0, match.index - 1))))
      continue;
    else if (!isInSet) {
      return [{ ...context, state: 'JS', slash: 'DivOp' }, match.index + 1];
    }
  }
  if (isInSet) return [failed(`unfinished JS regexp charset: ${quote(text)}`), text.length];
  return [context, text.length];
}

export function unfinished(what: string, text: string): Scan {
  return [failed(`unfinished escape sequence in ${what}: ${quote(text)}`), text.length];
}

const BEFORE_REGEXP =
  /(?:^|[^A-Za-z0-9_$])(?:break|case|continue|delete|do|else|finally|in|instanceof|return|throw|try|typeof|void)$/;

/** What a slash would be behind this piece of JavaScript. */
export function slashAfter(text: string, before: Context['slash']): Context['slash'] {
  const code = text.replace(/[\t\n\f\r \u2028\u2029]+$/, '');
  if (code === '') return before;
  const signs = /(\++|-+)$/.exec(code)?.[0];
  // Of `a+++` the last is an operator; `a++` is a value.
  if (signs !== undefined) return signs.length % 2 === 1 ? 'Regexp' : 'DivOp';
  if (code.endsWith('.')) return /[0-9]\.$/.test(code) ? 'DivOp' : 'Regexp';
  if (/[,<>=*%&|^?!~([:;{}]$/.test(code)) return 'Regexp';
  return BEFORE_REGEXP.test(code) ? 'Regexp' : 'DivOp';
}
