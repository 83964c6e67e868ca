import type { Node } from '../ast.ts';

/**
 * Where in an HTML document a place of a template is. The names are those of Go's html/template, because its error texts
 * and the names of derived templates show them.
 */
export type State =
  | 'Text'
  | 'Tag'
  | 'AttrName'
  | 'AfterName'
  | 'BeforeValue'
  | 'HTMLCmt'
  | 'RCDATA'
  | 'Attr'
  | 'URL'
  | 'Srcset'
  | 'JS'
  | 'JSDqStr'
  | 'JSSqStr'
  | 'JSTmplLit'
  | 'JSRegexp'
  | 'JSBlockCmt'
  | 'JSLineCmt'
  | 'JSHTMLOpenCmt'
  | 'JSHTMLCloseCmt'
  | 'CSS'
  | 'CSSDqStr'
  | 'CSSSqStr'
  | 'CSSDqURL'
  | 'CSSSqURL'
  | 'CSSURL'
  | 'CSSBlockCmt'
  | 'CSSLineCmt'
  | 'MetaContent'
  | 'MetaContentURL'
  | 'Error'
  | 'Dead';

export type Context = {
  readonly state: State;
  /** What ends the attribute's value. */
  readonly delimiter: 'None' | 'DoubleQuote' | 'SingleQuote' | 'SpaceOrTagEnd';
  readonly urlPart: 'None' | 'PreQuery' | 'QueryOrFrag' | 'Unknown';
  /** Whether a slash would begin a regular expression or divide. */
  readonly slash: 'Regexp' | 'DivOp' | 'Unknown';
  /** Open braces in each `${` of template literals around this place. */
  readonly braces: readonly number[];
  readonly attribute: 'None' | 'Script' | 'ScriptType' | 'Style' | 'URL' | 'Srcset' | 'MetaContent';
  readonly element: 'None' | 'Script' | 'Style' | 'Textarea' | 'Title' | 'Meta';
  readonly error: EscapeFault | null;
};

/**
 * Why a template cannot be escaped; `node`, or else the line of `lineOf`, says where when that is known. It is one object
 * for all contexts that it is carried through, and each loop on the way adds its own words, as in Go.
 */
export type EscapeFault = {
  message: string;
  readonly node: Node | null;
  lineOf: Node | null;
};

export const START: Context = {
  state: 'Text',
  delimiter: 'None',
  urlPart: 'None',
  slash: 'Regexp',
  braces: [],
  attribute: 'None',
  element: 'None',
  error: null,
};

export function failed(message: string, node: Node | null = null): Context {
  return { ...START, state: 'Error', error: { message, node, lineOf: null } };
}

/** The plain context between two parts of a tag. */
export function inTag(context: Context, changes: Partial<Context> = {}): Context {
  return { ...START, state: 'Tag', element: context.element, ...changes };
}

export function isSame(a: Context, b: Context): boolean {
  return (
    a.state === b.state &&
    a.delimiter === b.delimiter &&
    a.urlPart === b.urlPart &&
    a.slash === b.slash &&
    a.braces.join() === b.braces.join() &&
    a.attribute === b.attribute &&
    a.element === b.element &&
    a.error === b.error
  );
}

export function showContext(context: Context): string {
  const { state, delimiter, urlPart, slash, braces, attribute, element, error } = context;
  const fault = error === null ? '<nil>' : error.message;
  return `{state${state} delim${delimiter} urlPart${urlPart} jsCtx${slash} [${braces.join(' ')}] attr${attribute} element${element} ${fault}}`;
}

/** The name under which a template is kept that begins in this context. */
export function derivedName(name: string, context: Context): string {
  if (context.state === 'Text') return name;
  const { state, delimiter, urlPart, slash, braces, attribute, element } = context;
  return [
    `${name}$htmltemplate_state${state}`,
    delimiter === 'None' ? '' : `_delim${delimiter}`,
    urlPart === 'None' ? '' : `_urlPart${urlPart}`,
    slash === 'Regexp' ? '' : `_jsCtx${slash}`,
    braces.length === 0 ? '' : `_jsBraceDepth([${braces.join(' ')}])`,
    attribute === 'None' ? '' : `_attr${attribute}`,
    element === 'None' ? '' : `_element${element}`,
  ].join('');
}

const START_OF_VALUE: Readonly<Record<Context['attribute'], State>> = {
  None: 'Attr',
  Script: 'JS',
  ScriptType: 'Attr',
  Style: 'CSS',
  URL: 'URL',
  Srcset: 'Srcset',
  MetaContent: 'MetaContent',
};

export function startOfValue(attribute: Context['attribute']): State {
  return START_OF_VALUE[attribute];
}

/** The context that an action makes of a place where nothing has been decided yet. */
export function nudged(context: Context): Context {
  switch (context.state) {
    case 'Tag':
      return { ...context, state: 'AttrName' };
    case 'BeforeValue':
      return {
        ...context,
        state: startOfValue(context.attribute),
        delimiter: 'SpaceOrTagEnd',
        attribute: 'None',
      };
    case 'AfterName':
      return { ...context, state: 'AttrName', attribute: 'None' };
    default:
      return context;
  }
}

/** The context after two branches, one of which was taken. `what` names the branching action. */
export function joined(a: Context, b: Context, node: Node, what: string): Context {
  if (a.state === 'Error' || b.state === 'Dead') return a;
  if (b.state === 'Error' || a.state === 'Dead' || isSame(a, b)) return b;
  if (isSame({ ...a, urlPart: b.urlPart }, b)) return { ...a, urlPart: 'Unknown' };
  if (isSame({ ...a, slash: b.slash }, b)) return { ...a, slash: 'Unknown' };
  const [c, d] = [nudged(a), nudged(b)];
  if (!isSame(c, a) || !isSame(d, b)) {
    const both = joined(c, d, node, what);
    if (both.state !== 'Error') return both;
  }
  const shown = `${showContext(a)}, ${showContext(b)}`;
  return failed(`{{${what}}} branches end in different contexts: ${shown}`, node);
}

export function isComment(state: State): boolean {
  return /Cmt$/.test(state);
}

/** Literals in which a script's end tag is escaped instead of ending the script. */
export function isScriptLiteral(state: State): boolean {
  return /^JS(?:DqStr|SqStr|TmplLit|Regexp)$/.test(state);
}

/** The context after a part of the text and how many characters that part has. */
export type Scan = readonly [context: Context, length: number];
