import { quote } from './format/quote.ts';

/** Every node knows where it starts in the source of its file, in UTF-16 units. */
type At = { readonly offset: number };

export type TextNode = At & { readonly kind: 'text'; readonly text: string };
export type ActionNode = At & { readonly kind: 'action'; readonly pipe: PipeNode };
export type BranchNode = At & {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipe: PipeNode;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[] | null;
};
export type JumpNode = At & { readonly kind: 'break' | 'continue' };
export type TemplateNode = At & {
  readonly kind: 'template';
  readonly name: string;
  readonly pipe: PipeNode | null;
};
export type Node = TextNode | ActionNode | BranchNode | JumpNode | TemplateNode;

export type PipeNode = At & {
  readonly kind: 'pipe';
  readonly isAssign: boolean;
  /** Variables declared or assigned: `$x := …`, `range $i, $e := …`. */
  readonly variables: readonly VariableNode[];
  readonly commands: readonly CommandNode[];
};
export type CommandNode = At & { readonly kind: 'command'; readonly args: readonly OperandNode[] };

/** `fields` of a variable: `$x.A.B` has name `$x` and fields A, B. */
export type VariableNode = At & {
  readonly kind: 'variable';
  readonly name: string;
  readonly fields: readonly string[];
};
export type FieldNode = At & { readonly kind: 'field'; readonly fields: readonly string[] };
export type ChainNode = At & {
  readonly kind: 'chain';
  readonly operand: OperandNode;
  readonly fields: readonly string[];
};
export type IdentifierNode = At & { readonly kind: 'identifier'; readonly name: string };
export type StringNode = At & {
  readonly kind: 'string';
  readonly literal: string;
  readonly value: string;
};
/** `int` is set when the literal is usable as an integer, `isFloatLiteral` when it is written as a float. */
export type NumberNode = At & {
  readonly kind: 'number';
  readonly literal: string;
  readonly int: bigint | null;
  readonly float: number;
  readonly isFloatLiteral: boolean;
};
export type BoolNode = At & { readonly kind: 'bool'; readonly value: boolean };
export type PlainNode = At & { readonly kind: 'dot' | 'nil' };
export type OperandNode =
  | VariableNode
  | FieldNode
  | ChainNode
  | IdentifierNode
  | StringNode
  | NumberNode
  | BoolNode
  | PlainNode
  | PipeNode;

/** One parsed template. `file` and `source` are those of the text it was defined in, for positions in errors. */
export type Tree = {
  readonly name: string;
  readonly file: string;
  readonly source: string;
  readonly nodes: readonly Node[];
};

/** Whether a body holds nothing but white space: such a definition does not replace another. */
export function isEmptyBody(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.kind === 'text' && node.text.trim() === '');
}

/** The node in template syntax, as Go's errors cite it. */
export function showNode(node: OperandNode | CommandNode | Node): string {
  switch (node.kind) {
    case 'text':
      return quote(node.text);
    case 'action':
      return `{{${showNode(node.pipe)}}}`;
    case 'if':
    case 'with':
    case 'range': {
      const otherwise = node.otherwise === null ? '' : `{{else}}${showBody(node.otherwise)}`;
      return `{{${node.kind} ${showNode(node.pipe)}}}${showBody(node.body)}${otherwise}{{end}}`;
    }
    case 'break':
    case 'continue':
      return `{{${node.kind}}}`;
    case 'template': {
      const pipe = node.pipe === null ? '' : ` ${showNode(node.pipe)}`;
      return `{{template ${quote(node.name)}${pipe}}}`;
    }
    case 'pipe':
      return showPipe(node);
    case 'command':
      return node.args.map(showArgument).join(' ');
    case 'chain':
      return `${showArgument(node.operand)}${showFields(node.fields)}`;
    default:
      return showLeaf(node);
  }
}

function showLeaf(node: Exclude<OperandNode, PipeNode | ChainNode>): string {
  switch (node.kind) {
    case 'variable':
      return `${node.name}${showFields(node.fields)}`;
    case 'field':
      return showFields(node.fields);
    case 'identifier':
      return node.name;
    case 'string':
    case 'number':
      return node.literal;
    case 'bool':
      return String(node.value);
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
  }
}

function showPipe(pipe: PipeNode): string {
  const variables = pipe.variables.map((variable) => variable.name).join(', ');
  const declaration = variables === '' ? '' : `${variables} ${pipe.isAssign ? '=' : ':='} `;
  return declaration + pipe.commands.map(showNode).join(' | ');
}

function showArgument(node: OperandNode): string {
  return node.kind === 'pipe' ? `(${showNode(node)})` : showNode(node);
}

function showFields(fields: readonly string[]): string {
  return fields.map((field) => `.${field}`).join('');
}

function showBody(nodes: readonly Node[]): string {
  return nodes.map((node) => (node.kind === 'text' ? node.text : showNode(node))).join('');
}
