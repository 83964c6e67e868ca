import type {
  BranchNode,
  CommandNode,
  Node,
  NumberNode,
  OperandNode,
  PipeNode,
  Tree,
  VariableNode,
} from './ast.ts';
import { isEmptyBody, showNode } from './ast.ts';
import { TemplateError } from './errors.ts';
import { quote, unquote } from './format/quote.ts';
import { tokenize } from './lexer.ts';
import { parseNumberLiteral } from './number-literal.ts';
import { showToken, type Token, type TokenKind } from './token.ts';

/** Deepest nesting of blocks and parentheses; keeps hostile input off the stack. */
const MAX_NESTING = 200;

/** Where a list of nodes ended. */
type Ending = 'end' | 'else';
type Body = { readonly nodes: Node[]; readonly ending: Ending };

const OPERANDS: ReadonlySet<TokenKind> = new Set([
  'bool',
  'character',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'rawString',
  'string',
  'variable',
  'leftParenthesis',
]);

/**
 * Parses one file: its own template, under the file's name, and those it defines. `hasFunction` decides which names may
 * be called.
 */
export function parseTrees(
  name: string,
  source: string,
  hasFunction: (name: string) => boolean,
): Tree[] {
  return new Parser(name, source, hasFunction).run();
}

class Parser {
  readonly #file: string;
  readonly #source: string;
  readonly #hasFunction: (name: string) => boolean;
  readonly #tokens: readonly Token[];
  readonly #defined = new Map<string, Tree>();
  #position = 0;
  /** The last token that was looked at; errors are on its line. */
  #furthest = 0;
  /** Names in scope; `$` is always there. */
  #variables: string[] = ['$'];
  #rangeDepth = 0;
  #nesting = 0;
  /** Line of the action whose tokens are being read; null between actions. */
  #actionLine: number | null = null;

  constructor(file: string, source: string, hasFunction: (name: string) => boolean) {
    this.#file = file;
    this.#source = source;
    this.#hasFunction = hasFunction;
    this.#tokens = tokenize(source);
  }

  run(): Tree[] {
    const nodes: Node[] = [];
    while (this.#peek().kind !== 'end') {
      const parsed = this.#isDefine() ? this.#define() : this.#textOrAction();
      if (parsed === 'end' || parsed === 'else') this.#fail(`unexpected {{${parsed}}}`);
      if (parsed !== null) nodes.push(parsed);
    }
    this.#add(this.#file, nodes);
    return [...this.#defined.values()];
  }

  #isDefine(): boolean {
    if (this.#peek().kind !== 'leftDelimiter') return false;
    const next = this.#tokens[this.#position + 1];
    const token = next?.kind === 'space' ? this.#tokens[this.#position + 2] : next;
    return token?.kind === 'keyword' && token.text === 'define';
  }

  #define(): null {
    this.#take();
    this.#takeSolid();
    const name = this.#templateName('define clause');
    this.#expect('rightDelimiter', 'define clause');
    const outerVariables = this.#variables;
    const outerRangeDepth = this.#rangeDepth;
    this.#variables = ['$'];
    this.#rangeDepth = 0;
    const body = this.#body();
    if (body.ending !== 'end') this.#fail(`unexpected {{${body.ending}}} in define clause`);
    this.#variables = outerVariables;
    this.#rangeDepth = outerRangeDepth;
    this.#add(name, body.nodes);
    return null;
  }

  #add(name: string, nodes: readonly Node[]): void {
    const known = this.#defined.get(name);
    if (known !== undefined && !isEmptyBody(known.nodes)) {
      if (isEmptyBody(nodes)) return;
      this.#fail(`template: multiple definition of template ${quote(name)}`);
    }
    this.#defined.set(name, { name, file: this.#file, source: this.#source, nodes });
  }

  #body(): Body {
    this.#nest();
    const nodes: Node[] = [];
    while (this.#peekSolid().kind !== 'end') {
      const parsed = this.#textOrAction();
      if (parsed === 'end' || parsed === 'else') {
        this.#nesting--;
        return { nodes, ending: parsed };
      }
      nodes.push(parsed);
    }
    return this.#fail('unexpected EOF');
  }

  #textOrAction(): Node | Ending {
    const token = this.#takeSolid();
    if (token.kind === 'text') return { kind: 'text', offset: token.offset, text: token.text };
    if (token.kind === 'leftDelimiter') {
      this.#actionLine = token.line;
      const action = this.#action();
      this.#actionLine = null;
      return action;
    }
    return this.#unexpected(token, 'input');
  }

  #action(): Node | Ending {
    const token = this.#peekSolid();
    if (token.kind !== 'keyword') {
      const pipe = this.#pipeline('command', 'rightDelimiter');
      return { kind: 'action', offset: token.offset, pipe };
    }
    this.#takeSolid();
    switch (token.text) {
      case 'if':
      case 'with':
      case 'range':
        return this.#branch(token.text);
      case 'break':
      case 'continue':
        return this.#jump(token.text, token);
      case 'template':
        return this.#template();
      case 'block':
        return this.#block();
      case 'end':
        this.#expect('rightDelimiter', 'end');
        return 'end';
      case 'else':
        return this.#else();
      default:
        return this.#unexpected(token, 'command');
    }
  }

  /** Leaves the `if` or `with` of `{{else if …}}` to the branch that the else belongs to. */
  #else(): 'else' {
    const next = this.#peekSolid();
    if (next.kind === 'keyword' && (next.text === 'if' || next.text === 'with')) return 'else';
    this.#expect('rightDelimiter', 'else');
    return 'else';
  }

  #branch(kind: 'if' | 'with' | 'range'): BranchNode {
    this.#nest();
    const scope = this.#variables.length;
    const pipe = this.#pipeline(kind, 'rightDelimiter');
    if (kind === 'range') this.#rangeDepth++;
    const body = this.#body();
    if (kind === 'range') this.#rangeDepth--;
    const otherwise = body.ending === 'else' ? this.#otherwise(kind) : null;
    this.#variables.length = scope;
    this.#nesting--;
    return { kind, offset: pipe.offset, pipe, body: body.nodes, otherwise };
  }

  #otherwise(kind: 'if' | 'with' | 'range'): readonly Node[] {
    const next = this.#peekSolid();
    // `{{else if}}` is an else that holds one if and shares its end.
    if (kind !== 'range' && next.kind === 'keyword' && next.text === kind) {
      this.#takeSolid();
      return [this.#branch(kind)];
    }
    const body = this.#body();
    if (body.ending !== 'end') this.#fail(`expected end; found {{${body.ending}}}`);
    return body.nodes;
  }

  #jump(kind: 'break' | 'continue', token: Token): Node {
    const after = this.#takeSolid();
    if (after.kind !== 'rightDelimiter') this.#unexpected(after, `{{${kind}}}`);
    if (this.#rangeDepth === 0) this.#fail(`{{${kind}}} outside {{range}}`);
    return { kind, offset: token.offset };
  }

  #template(): Node {
    const { offset } = this.#peekSolid();
    const name = this.#templateName('template clause');
    if (this.#peekSolid().kind === 'rightDelimiter') {
      this.#takeSolid();
      return { kind: 'template', offset, name, pipe: null };
    }
    const pipe = this.#pipeline('template clause', 'rightDelimiter');
    return { kind: 'template', offset, name, pipe };
  }

  /** A block is a definition and its use in one place. */
  #block(): Node {
    const { offset } = this.#peekSolid();
    const name = this.#templateName('block clause');
    const pipe = this.#pipeline('block clause', 'rightDelimiter');
    const outerVariables = this.#variables;
    this.#variables = ['$'];
    const body = this.#body();
    if (body.ending !== 'end') this.#fail(`unexpected {{${body.ending}}} in block clause`);
    this.#variables = outerVariables;
    this.#add(name, body.nodes);
    return { kind: 'template', offset, name, pipe };
  }

  #templateName(context: string): string {
    const token = this.#takeSolid();
    if (token.kind !== 'string' && token.kind !== 'rawString') this.#unexpected(token, context);
    return unquote(token.text) ?? this.#fail('invalid syntax');
  }

  #pipeline(context: string, end: TokenKind): PipeNode {
    this.#nest();
    const { offset } = this.#peekSolid();
    const declared = this.#declarations(context);
    const commands: CommandNode[] = [];
    for (;;) {
      const token = this.#peekSolid();
      if (token.kind === end) break;
      if (!OPERANDS.has(token.kind)) this.#unexpected(this.#takeSolid(), context);
      commands.push(this.#command());
    }
    this.#takeSolid();
    if (commands.length === 0) this.#fail(`missing value for ${context}`);
    for (const [index, command] of commands.entries()) {
      if (index > 0 && isConstant(command.args[0])) {
        this.#fail(`non executable command in pipeline stage ${index + 1}`);
      }
    }
    this.#nesting--;
    return { kind: 'pipe', offset, ...declared, commands };
  }

  /** `$x :=`, `$x =` or, in a range, `$i, $e :=`. Anything else leaves the position alone. */
  #declarations(context: string): { isAssign: boolean; variables: VariableNode[] } {
    const variables: VariableNode[] = [];
    while (this.#peekSolid().kind === 'variable') {
      const start = this.#position;
      const token = this.#takeSolid();
      const next = this.#peekSolid();
      if (next.kind !== 'assign' && next.kind !== 'declare' && next.text !== ',') {
        this.#position = start;
        break;
      }
      this.#takeSolid();
      variables.push({ kind: 'variable', offset: token.offset, name: token.text, fields: [] });
      this.#variables.push(token.text);
      if (next.text !== ',') return { isAssign: next.kind === 'assign', variables };
      if (context !== 'range' || variables.length > 1) {
        this.#fail(`too many declarations in ${context}`);
      }
      const { kind } = this.#peekSolid();
      if (kind !== 'variable' && kind !== 'rightDelimiter' && kind !== 'rightParenthesis') {
        this.#fail('range can only initialize variables');
      }
    }
    return { isAssign: false, variables };
  }

  #command(): CommandNode {
    const { offset } = this.#peekSolid();
    const args: OperandNode[] = [];
    for (;;) {
      const operand = this.#operand();
      if (operand !== null) args.push(operand);
      const token = this.#peek();
      if (token.kind === 'rightDelimiter' || token.kind === 'rightParenthesis') break;
      this.#take();
      if (token.kind === 'space') continue;
      if (token.kind === 'pipe') {
        break;
      }
      this.#unexpected(token, 'operand');
    }
    if (args.length === 0) this.#fail('empty command');
    return { kind: 'command', offset, args };
  }

  /** A term with the field chain behind it, if any. */
  #operand(): OperandNode | null {
    const term = this.#term();
    if (term === null) return null;
    const first = this.#peek();
    if (first.kind !== 'field') return term;
    const fields: string[] = [];
    while (this.#peek().kind === 'field') fields.push(this.#take().text.slice(1));
    const { offset } = first;
    switch (term.kind) {
      case 'field':
        return { kind: 'field', offset, fields: [...term.fields, ...fields] };
      case 'variable':
        return { kind: 'variable', offset, name: term.name, fields };
      case 'identifier':
      case 'pipe':
      case 'chain':
        return { kind: 'chain', offset, operand: term, fields };
      default:
        return this.#fail(`unexpected . after term ${quote(showNode(term))}`);
    }
  }

  #term(): OperandNode | null {
    const token = this.#peekSolid();
    if (!OPERANDS.has(token.kind)) return null;
    this.#takeSolid();
    const { offset, text } = token;
    switch (token.kind) {
      case 'identifier':
        if (!this.#hasFunction(text)) this.#fail(`function ${quote(text)} not defined`);
        return { kind: 'identifier', offset, name: text };
      case 'dot':
      case 'nil':
        return { kind: token.kind, offset };
      case 'bool':
        return { kind: 'bool', offset, value: text === 'true' };
      case 'variable':
        if (!this.#variables.includes(text)) this.#fail(`undefined variable ${quote(text)}`);
        return { kind: 'variable', offset, name: text, fields: [] };
      case 'field':
        return { kind: 'field', offset, fields: [text.slice(1)] };
      case 'string':
      case 'rawString':
        return {
          kind: 'string',
          offset,
          literal: text,
          value: unquote(text) ?? this.#fail('invalid syntax'),
        };
      case 'leftParenthesis':
        return this.#pipeline('parenthesized pipeline', 'rightParenthesis');
      default:
        return this.#number(token);
    }
  }

  #number(token: Token): NumberNode {
    const parsed = parseNumberLiteral(token.text);
    if (typeof parsed === 'string') {
      return this.#fail(parsed.includes(':') ? parsed : `${parsed}: ${quote(token.text)}`);
    }
    return { kind: 'number', offset: token.offset, literal: token.text, ...parsed };
  }

  #nest(): void {
    if (++this.#nesting > MAX_NESTING) this.#fail(`nested deeper than ${MAX_NESTING} levels`);
  }

  #peek(): Token {
    const at = Math.min(this.#position, this.#tokens.length - 1);
    this.#furthest = Math.max(this.#furthest, at);
    return this.#tokens[at]!;
  }

  #take(): Token {
    const token = this.#peek();
    this.#position++;
    return token;
  }

  #skipSpace(): void {
    while (this.#peek().kind === 'space') this.#position++;
  }

  #peekSolid(): Token {
    const at = this.#position;
    this.#skipSpace();
    const token = this.#peek();
    this.#position = at;
    return token;
  }

  #takeSolid(): Token {
    this.#skipSpace();
    return this.#take();
  }

  #expect(kind: TokenKind, context: string): void {
    const token = this.#takeSolid();
    if (token.kind !== kind) this.#unexpected(token, context);
  }

  #unexpected(token: Token, context: string): never {
    if (token.kind === 'error') return this.#fail(token.text + this.#started(token), token.line);
    return this.#fail(`unexpected ${showToken(token)} in ${context}`, token.line);
  }

  /** Where the action began that an error ends on another line. */
  #started(token: Token): string {
    if (this.#actionLine === null || this.#actionLine === token.line) return '';
    const lead = token.text.endsWith(' action') ? '' : ' in action';
    return `${lead} started at ${this.#file}:${this.#actionLine}`;
  }

  #fail(message: string, atLine?: number): never {
    const line = atLine ?? this.#tokens[this.#furthest]?.line ?? 1;
    throw new TemplateError('GOTEMPLATE.PARSE', `template: ${this.#file}:${line}: ${message}`, {
      template: this.#file,
      line,
      column: 0,
    });
  }
}

function isConstant(node: OperandNode | undefined): boolean {
  switch (node?.kind) {
    case 'bool':
    case 'dot':
    case 'nil':
    case 'number':
    case 'string':
      return true;
    default:
      return false;
  }
}
