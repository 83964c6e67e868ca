import { quote } from '../format/quote.ts';
import { attributeKind, isScriptType } from './attributes.ts';
import {
  type Context,
  failed,
  inTag,
  isComment,
  isScriptLiteral,
  type Scan,
  START,
  startOfValue,
} from './context.ts';
import { decodeEntities } from './entities.ts';
import { scanScript, scanScriptLiteral, scanTemplateLiteral } from './scan-script.ts';
import { scanStyle, scanStyleString, scanUrl } from './scan-style.ts';

/** The context behind the next part of the text. It may be called again for what is left, until nothing is. */
export function scanText(context: Context, text: string): Scan {
  if (context.delimiter === 'None') {
    const end = endOfSpecialElement(context, text);
    if (end === 0) return [START, 0];
    return scan(context, end < 0 ? text : text.slice(0, end));
  }
  return scanValue(context, text);
}

const VALUE_ENDS = { DoubleQuote: /"/, SingleQuote: /'/, SpaceOrTagEnd: /[ \t\n\f\r>]/ } as const;

function scanValue(context: Context, text: string): Scan {
  const { delimiter } = context;
  if (delimiter === 'None') return scan(context, text);
  const found = text.search(VALUE_ENDS[delimiter]);
  const value = found < 0 ? text : text.slice(0, found);
  if (delimiter === 'SpaceOrTagEnd') {
    const bad = /["'<=`]/.exec(value);
    if (bad !== null)
      return [failed(`${quote(bad[0])} in unquoted attr: ${quote(value)}`), text.length];
  }
  if (found < 0) {
    // What a browser would see: onclick="f(&quot;x&quot;)" holds a JavaScript string.
    let inside = context;
    for (let rest = decodeEntities(text); rest !== ''; ) {
      const [next, length] = scan(inside, rest);
      inside = next;
      rest = rest.slice(length);
    }
    return [inside, text.length];
  }
  const isOtherScript =
    context.state === 'Attr' &&
    context.element === 'Script' &&
    context.attribute === 'ScriptType' &&
    !isScriptType(value);
  const after = inTag(context, isOtherScript ? { element: 'None' } : {});
  return [after, delimiter === 'SpaceOrTagEnd' ? found : found + 1];
}

/** Where the end tag of a script, style, textarea or title begins; −1 when the text has none. */
function endOfSpecialElement({ element, state }: Context, text: string): number {
  if (element === 'None' || element === 'Meta') return -1;
  if (element === 'Script' && (isScriptLiteral(state) || isComment(state))) return -1;
  return text.search(new RegExp(`</${element}[ \\t\\n\\f/>]`, 'i'));
}

/** One step of the scanner of the context's state. */
export function scan(context: Context, text: string): Scan {
  switch (context.state) {
    case 'Text':
    case 'RCDATA':
      return context.state === 'Text' ? scanElements(context, text) : [context, text.length];
    case 'Tag':
      return scanTag(context, text);
    case 'AttrName':
      return scanAttributeName(context, text);
    case 'AfterName': {
      const at = blanks(text);
      if (at === text.length) return [context, at];
      if (text[at] !== '=') return [{ ...context, state: 'Tag' }, at];
      return [{ ...context, state: 'BeforeValue' }, at + 1];
    }
    case 'BeforeValue':
      return scanBeforeValue(context, text);
    case 'HTMLCmt': {
      const end = text.indexOf('-->');
      return end < 0 ? [context, text.length] : [START, end + 3];
    }
    case 'URL':
    case 'Srcset':
      return scanUrl(context, text);
    case 'MetaContent': {
      const at = text.search(/url=/i);
      return at < 0 ? [context, text.length] : [{ ...context, state: 'MetaContentURL' }, at + 4];
    }
    case 'MetaContentURL': {
      const at = text.indexOf(';');
      return at < 0 ? [context, text.length] : [{ ...context, state: 'MetaContent' }, at + 1];
    }
    case 'JS':
      return scanScript(context, text);
    case 'JSTmplLit':
      return scanTemplateLiteral(context, text);
    case 'JSDqStr':
    case 'JSSqStr':
    case 'JSRegexp':
      return scanScriptLiteral(context, text);
    case 'CSS':
      return scanStyle(context, text);
    case 'CSSDqStr':
    case 'CSSSqStr':
    case 'CSSDqURL':
    case 'CSSSqURL':
    case 'CSSURL':
      return scanStyleString(context, text);
    case 'JSBlockCmt':
    case 'CSSBlockCmt': {
      const end = text.indexOf('*/');
      const state = context.state === 'JSBlockCmt' ? 'JS' : 'CSS';
      return end < 0 ? [context, text.length] : [{ ...context, state }, end + 2];
    }
    case 'JSLineCmt':
    case 'JSHTMLOpenCmt':
    case 'JSHTMLCloseCmt':
      return scanLineComment({ ...context, state: 'JS' }, context, text, /[\n\r\u2028\u2029]/);
    case 'CSSLineCmt':
      return scanLineComment({ ...context, state: 'CSS' }, context, text, /[\n\f\r]/);
    default:
      return [context, text.length];
  }
}

/** The line's end is no part of the comment. */
function scanLineComment(after: Context, inside: Context, text: string, end: RegExp): Scan {
  const at = text.search(end);
  return at < 0 ? [inside, text.length] : [after, at];
}

const TAG_OR_COMMENT = /<!--|<(\/?)([a-zA-Z][a-zA-Z0-9]*(?:[-:][a-zA-Z0-9]+)*)/g;
const ELEMENTS = ['Script', 'Style', 'Textarea', 'Title', 'Meta'] as const;

function scanElements(context: Context, text: string): Scan {
  TAG_OR_COMMENT.lastIndex = 0;
  const match = TAG_OR_COMMENT.exec(text);
  if (match === null) return [context, text.length];
  const end = match.index + match[0].length;
  if (match[2] === undefined) return [{ ...START, state: 'HTMLCmt' }, end];
  const name = match[2].toLowerCase();
  const element = ELEMENTS.find((known) => known.toLowerCase() === name) ?? 'None';
  return [{ ...START, state: 'Tag', element: match[1] === '/' ? 'None' : element }, end];
}

const CONTENT_OF = {
  None: 'Text',
  Script: 'JS',
  Style: 'CSS',
  Textarea: 'RCDATA',
  Title: 'RCDATA',
  Meta: 'Text',
} as const;

function scanTag(context: Context, text: string): Scan {
  const start = blanks(text);
  if (start === text.length) return [context, start];
  if (text[start] === '>') {
    const { element } = context;
    const state = CONTENT_OF[element];
    return [{ ...START, state, element: element === 'Meta' ? 'None' : element }, start + 1];
  }
  const end = endOfAttributeName(text, start);
  if (typeof end !== 'number') return [end, text.length];
  if (end === start) {
    const rest = quote(text.slice(start));
    return [failed(`expected space, attr name, or end of tag, but got ${rest}`), text.length];
  }
  const attribute = attributeOf(context.element, text.slice(start, end).toLowerCase());
  const state = end === text.length ? 'AttrName' : 'AfterName';
  return [inTag(context, { state, attribute }), end];
}

function attributeOf(element: Context['element'], name: string): Context['attribute'] {
  if (element === 'Script' && name === 'type') return 'ScriptType';
  if (element === 'Meta' && name === 'content') return 'MetaContent';
  switch (attributeKind(name)) {
    case 'url':
      return 'URL';
    case 'style':
      return 'Style';
    case 'script':
      return 'Script';
    case 'srcset':
      return 'Srcset';
    default:
      return 'None';
  }
}

function scanAttributeName(context: Context, text: string): Scan {
  const end = endOfAttributeName(text, 0);
  if (typeof end !== 'number') return [end, text.length];
  return [end === text.length ? context : { ...context, state: 'AfterName' }, end];
}

function endOfAttributeName(text: string, start: number): number | Context {
  const length = text.slice(start).search(/[ \t\n\f\r=>'"<]/);
  if (length < 0) return text.length;
  const character = text[start + length] ?? '';
  if (!/['"<]/.test(character)) return start + length;
  const shown = quote([...text].slice(0, 32).join(''));
  return failed(`${quote(character)} in attribute name: ${shown}`);
}

function scanBeforeValue(context: Context, text: string): Scan {
  const at = blanks(text);
  if (at === text.length) return [context, at];
  const state = startOfValue(context.attribute);
  if (text[at] === '"') return [{ ...context, state, delimiter: 'DoubleQuote' }, at + 1];
  if (text[at] === "'") return [{ ...context, state, delimiter: 'SingleQuote' }, at + 1];
  return [{ ...context, state, delimiter: 'SpaceOrTagEnd' }, at];
}

/** How many blanks the text begins with. */
function blanks(text: string): number {
  return /^[ \t\n\f\r]*/.exec(text)?.[0].length ?? 0;
}
