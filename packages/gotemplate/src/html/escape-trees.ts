import {
  type BranchNode,
  type JumpNode,
  type Node,
  type PipeNode,
  showNode,
  type TemplateNode,
  type TextNode,
  type Tree,
} from '../ast.ts';
import { TemplateError } from '../errors.ts';
import { quote } from '../format/quote.ts';
import {
  type Context,
  derivedName,
  type EscapeFault,
  failed,
  isComment,
  isSame,
  isScriptLiteral,
  joined,
  nudged,
  START,
  showContext,
} from './context.ts';
import { type EscaperName, escapedPipe } from './pipeline.ts';
import { scanText } from './scan.ts';

/** Templates nested by calls while their contexts are computed; execution has a bound of its own. */
const MAX_DEPTH = 200;

/**
 * The template `name` and all that it calls, with escapers put behind each action as its place in the HTML wants. A
 * template that is called in another context than plain text appears once more for that context, under a name of its own.
 * Throws TemplateError with Go's text when a place is ambiguous or the template ends inside a tag.
 */
export function escapeTrees(
  name: string,
  trees: ReadonlyMap<string, Tree>,
): ReadonlyMap<string, Tree> {
  const escaper = new Escaper(trees);
  const end = escaper.template(START, name, null).context;
  if (end.error !== null) throw fault(name, trees, end);
  if (end.state !== 'Text') {
    throw escapeError(
      name,
      `html/template:${name}: ends in a non-text context: ${showContext(end)}`,
    );
  }
  return new Map([...trees, ...escaper.results()]);
}

function fault(name: string, trees: ReadonlyMap<string, Tree>, end: Context): TemplateError {
  const { message = '', node = null, lineOf = null } = end.error ?? {};
  const place = node ?? lineOf;
  const tree = place === null ? undefined : treeOf(place, trees);
  if (place === null || tree === undefined) {
    return escapeError(name, `html/template:${name}: ${message}`);
  }
  const before = tree.source.slice(0, place.offset);
  const line = before.split('\n').length;
  if (node === null) return escapeError(name, `html/template:${name}:${line}: ${message}`);
  const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1));
  return escapeError(name, `html/template:${tree.file}:${line}:${column}: ${message}`);
}

function escapeError(name: string, message: string): TemplateError {
  return new TemplateError('GOTEMPLATE.ESCAPE', message, { template: name, line: 0, column: 0 });
}

function treeOf(node: Node, trees: ReadonlyMap<string, Tree>): Tree | undefined {
  const holds = (nodes: readonly Node[]): boolean =>
    nodes.some(
      (inner) =>
        inner === node ||
        ((inner.kind === 'if' || inner.kind === 'with' || inner.kind === 'range') &&
          (holds(inner.body) || holds(inner.otherwise ?? []))),
    );
  return [...trees.values()].find((tree) => holds(tree.nodes));
}

type Escaped<T> = { readonly context: Context; readonly node: T };
type EscapedList = { readonly context: Context; readonly nodes: readonly Node[] };
/** Contexts at the jumps of the range around a place. */
type Jumps = { readonly jump: JumpNode; readonly context: Context }[];

class Escaper {
  readonly #trees: ReadonlyMap<string, Tree>;
  /** Contexts behind the templates, by derived name; a guess while a template is being worked on. */
  readonly #ends = new Map<string, Context>();
  readonly #escaped = new Map<string, Tree>();
  readonly #called = new Set<string>();
  #jumps: Jumps = [];
  #depth = 0;

  constructor(trees: ReadonlyMap<string, Tree>) {
    this.#trees = trees;
  }

  results(): ReadonlyMap<string, Tree> {
    return this.#escaped;
  }

  template(
    start: Context,
    name: string,
    caller: TemplateNode | null,
  ): { context: Context; name: string } {
    const derived = derivedName(name, start);
    this.#called.add(derived);
    const known = this.#ends.get(derived);
    if (known !== undefined) return { context: known, name: derived };
    const tree = this.#trees.get(name);
    if (tree === undefined)
      return { context: failed(`no such template ${quote(name)}`, caller), name };
    if (this.#depth >= MAX_DEPTH) {
      return { context: failed(`templates are nested deeper than ${MAX_DEPTH}`, caller), name };
    }
    this.#depth++;
    const context = this.#endOf(start, derived, tree);
    this.#depth--;
    return { context, name: derived };
  }

  /** A template that calls itself ends as it begins, or as it ended when that was assumed. */
  #endOf(start: Context, derived: string, tree: Tree): Context {
    const first = this.#bodyAssuming(start, start, derived, tree);
    if (first.isCertain) return first.end;
    const second = this.#bodyAssuming(first.end, first.end, derived, tree);
    if (second.isCertain) return second.end;
    if (first.end.state === 'Error') return first.end;
    const message = `cannot compute output context for template ${derived}`;
    return failed(message, tree.nodes[0] ?? null);
  }

  #bodyAssuming(
    start: Context,
    assumedEnd: Context,
    derived: string,
    tree: Tree,
  ): { end: Context; isCertain: boolean } {
    const outer = new Map(this.#ends);
    this.#called.delete(derived);
    this.#ends.set(derived, assumedEnd);
    const { context: end, nodes } = this.#list(start, tree.nodes);
    const isCertain =
      end.state !== 'Error' && (!this.#called.has(derived) || isSame(assumedEnd, end));
    if (isCertain) {
      this.#ends.set(derived, end);
      this.#escaped.set(derived, { ...tree, name: derived, nodes });
      return { end, isCertain };
    }
    this.#ends.clear();
    for (const [name, context] of outer) this.#ends.set(name, context);
    return { end, isCertain };
  }

  #list(start: Context, nodes: readonly Node[]): EscapedList {
    let context = start;
    const out: Node[] = [];
    for (const [index, node] of nodes.entries()) {
      const escaped = this.#node(context, node);
      context = escaped.context;
      out.push(escaped.node);
      if (context.state === 'Dead') {
        out.push(...nodes.slice(index + 1));
        break;
      }
    }
    return { context, nodes: out };
  }

  #node(context: Context, node: Node): Escaped<Node> {
    switch (node.kind) {
      case 'text':
        return escapeText(context, node);
      case 'action': {
        if (node.pipe.variables.length > 0) return { context, node };
        const { context: after, pipe } = escapeAction(context, node, node.pipe);
        return { context: after, node: { ...node, pipe } };
      }
      case 'if':
      case 'with':
      case 'range':
        return this.#branch(context, node);
      case 'break':
      case 'continue':
        this.#jumps.push({ jump: node, context });
        return { context: { ...START, state: 'Dead' }, node };
      case 'template': {
        const { context: after, name } = this.template(context, node.name, node);
        return { context: after, node: { ...node, name } };
      }
    }
  }

  #branch(start: Context, node: BranchNode): Escaped<Node> {
    const body =
      node.kind === 'range' ? this.#rangeBody(start, node) : this.#list(start, node.body);
    if (node.kind === 'range' && body.context.state === 'Error') {
      return { context: body.context, node };
    }
    const other = this.#list(start, node.otherwise ?? []);
    return {
      context: joined(body.context, other.context, node, node.kind),
      node: {
        ...node,
        body: body.nodes,
        otherwise: node.otherwise === null ? null : other.nodes,
      },
    };
  }

  /** The body may run once or again, so it must be the same in the context that it leaves behind. */
  #rangeBody(start: Context, node: BranchNode): EscapedList {
    const outer = this.#jumps;
    this.#jumps = [];
    const once = this.#list(start, node.body);
    const afterOnce = withJumps(once.context, this.#jumps);
    if (afterOnce.state === 'Error') {
      this.#jumps = outer;
      return { context: afterOnce, nodes: once.nodes };
    }
    this.#jumps = [];
    const twice = this.#list(afterOnce, node.body);
    const both = joined(afterOnce, twice.context, node, 'range');
    const jumps = this.#jumps;
    this.#jumps = outer;
    if (both.error !== null) {
      label(both.error, 'on range loop re-entry', node);
      return { context: both, nodes: once.nodes };
    }
    return { context: withJumps(both, jumps), nodes: once.nodes };
  }
}

/** Leaving the body by a jump must lead to the same context as running through it. */
function withJumps(end: Context, jumps: Jumps): Context {
  let context = end;
  for (const kind of ['break', 'continue'] as const) {
    for (const { jump, context: there } of jumps) {
      if (jump.kind !== kind || context.state === 'Error') continue;
      context = joined(context, there, jump, 'range');
      if (context.error !== null) label(context.error, `at range loop ${kind}`, jump);
    }
  }
  return context;
}

function label(fault: EscapeFault, where: string, node: Node): void {
  fault.message = `${where}: ${fault.message}`;
  fault.lineOf = node;
}

type Named = { readonly context: Context; readonly pipe: PipeNode };

function escapeAction(start: Context, node: Node, pipe: PipeNode): Named {
  const context = nudged(start);
  for (const [index, command] of pipe.commands.entries()) {
    const [first] = command.args;
    if (first?.kind !== 'identifier') continue;
    if (first.name !== 'html' && first.name !== 'urlquery') continue;
    const isUnquoted = context.state === 'Attr' && context.delimiter === 'SpaceOrTagEnd';
    if (index < pipe.commands.length - 1 || (isUnquoted && first.name === 'html')) {
      const message = `predefined escaper ${quote(first.name)} disallowed in template`;
      return { context: failed(message, node), pipe };
    }
  }
  if (context.state === 'Error') return { context, pipe };
  const place = escapersFor(context);
  if (place === null) {
    const message = `${showNode(node)} appears in an ambiguous context within a URL`;
    return { context: failed(message, node), pipe };
  }
  const { escapers, after } = place;
  if (context.delimiter === 'SpaceOrTagEnd') escapers.push('nospaceescaper');
  else if (context.delimiter !== 'None') escapers.push('attrescaper');
  return { context: after, pipe: escapedPipe(pipe, escapers) };
}

type Place = { readonly escapers: EscaperName[]; readonly after: Context };

/** Null where the place within a URL is not known. */
function escapersFor(context: Context): Place | null {
  const one = (escaper: EscaperName): Place => ({ escapers: [escaper], after: context });
  switch (context.state) {
    case 'URL':
    case 'CSSDqStr':
    case 'CSSSqStr':
    case 'CSSDqURL':
    case 'CSSSqURL':
    case 'CSSURL':
      return urlEscapers(context);
    case 'MetaContentURL':
      return one('urlfilter');
    case 'JS':
      // Behind a value a slash divides.
      return { escapers: ['jsvalescaper'], after: { ...context, slash: 'DivOp' } };
    case 'JSDqStr':
    case 'JSSqStr':
      return one('jsstrescaper');
    case 'JSTmplLit':
      return one('jstmpllitescaper');
    case 'JSRegexp':
      return one('jsregexpescaper');
    case 'CSS':
      return one('cssvaluefilter');
    case 'Text':
      return one('htmlescaper');
    case 'RCDATA':
      return one('rcdataescaper');
    case 'AttrName':
    case 'Tag':
      return { escapers: ['htmlnamefilter'], after: { ...context, state: 'AttrName' } };
    case 'Srcset':
      return one('srcsetescaper');
    default:
      return isComment(context.state) ? one('commentescaper') : { escapers: [], after: context };
  }
}

function urlEscapers(context: Context): Place | null {
  const isString = context.state === 'CSSDqStr' || context.state === 'CSSSqStr';
  const rest: EscaperName = isString ? 'cssescaper' : 'urlnormalizer';
  switch (context.urlPart) {
    case 'None':
      return { escapers: ['urlfilter', rest], after: context };
    case 'PreQuery':
      return { escapers: [rest], after: context };
    case 'QueryOrFrag':
      return { escapers: ['urlescaper'], after: context };
    case 'Unknown':
      return null;
  }
}

/** Text keeps its form but for comments, which go, and for what could be taken for a tag. */
function escapeText(start: Context, node: TextNode): Escaped<Node> {
  let context = start;
  let out = '';
  for (let rest = node.text; rest !== ''; ) {
    const [next, length] = scanText(context, rest);
    // What follows a special element is scanned again without having been consumed.
    out += keptText(context, next, rest.slice(0, length));
    rest = rest.slice(length);
    context = next;
  }
  if (context.state === 'Error') return { context, node };
  return { context, node: { ...node, text: out } };
}

function keptText(before: Context, after: Context, text: string): string {
  const isHidden = isComment(before.state) && before.delimiter === 'None';
  let kept = isHidden ? commentStandIn(before, text) : text;
  const beginsComment =
    after.state !== before.state && isComment(after.state) && after.delimiter === 'None';
  if (beginsComment) kept = kept.slice(0, kept.length - commentStart(after).length);
  if (before.state === 'Text' || before.state === 'RCDATA') {
    const tag = after.state === before.state ? kept.length : tagStart(kept, beginsComment);
    kept = escapeLooseTags(kept.slice(0, tag)) + kept.slice(tag);
  }
  if (isScriptLiteral(before.state)) {
    kept = kept.replace(/<(script|\/script|!--)/gi, '\\x3C$1');
  }
  return kept;
}

function tagStart(text: string, isCut: boolean): number {
  const at = text.lastIndexOf('<');
  return isCut || at < 0 ? text.length : at;
}

function escapeLooseTags(text: string): string {
  return text.replace(/<(?!!doctype)/gi, '&lt;');
}

function commentStart({ state }: Context): string {
  switch (state) {
    case 'HTMLCmt':
    case 'JSHTMLOpenCmt':
      return '<!--';
    case 'JSHTMLCloseCmt':
      return '-->';
    default:
      return '//';
  }
}

/** A comment between two words of a language must not join them. */
function commentStandIn({ state }: Context, text: string): string {
  switch (state) {
    case 'JSBlockCmt':
      return /[\n\r\u2028\u2029]/.test(text) ? '\n' : ' ';
    case 'CSSBlockCmt':
      return ' ';
    default:
      return '';
  }
}
