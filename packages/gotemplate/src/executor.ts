import { OperatingError } from '@pollux/base';
import type {
  BranchNode,
  ChainNode,
  CommandNode,
  IdentifierNode,
  Node,
  OperandNode,
  PipeNode,
  Tree,
  VariableNode,
} from './ast.ts';
import { showNode } from './ast.ts';
import { SPECIAL_BUILTINS } from './builtins.ts';
import { TemplateError, TemplateLimitError } from './errors.ts';
import { printPointed, printValue } from './format/print.ts';
import { quote } from './format/quote.ts';
import { accepts, isNilable, paramName } from './param-type.ts';
import {
  entryAt,
  GoFunction,
  type GoFunctionSpec,
  GoMap,
  GoStruct,
  isTrue,
  kindOf,
  listItems,
  type MapKey,
  mapEntries,
  methodOf,
  NO_VALUE,
  type NoValue,
  type ParamType,
  sortedKeys,
  textOf,
  typeName,
  type Value,
} from './value.ts';

/** What a missing map key gives: Go's option `missingkey`. */
export type MissingKey = 'default' | 'zero' | 'error';

export type Limits = {
  /** Nodes, commands and loop rounds evaluated. */
  readonly maxSteps: number;
  /** UTF-16 units written, and of any single string made on the way. */
  readonly maxOutputLength: number;
  /** Templates nested by `template`. */
  readonly maxDepth: number;
};

/** Everything an execution needs besides the data. */
export type Program = {
  /** Cited in errors: the template that was asked for. */
  readonly name: string;
  readonly trees: ReadonlyMap<string, Tree>;
  readonly functions: ReadonlyMap<string, GoFunctionSpec>;
  readonly missingKey: MissingKey;
  readonly limits: Limits;
};

type Result = Value | NoValue;
/** Pauses at functions that return promises; the driver resumes with what they became. */
type Run<T> = Generator<Promise<Value>, T, Value>;
type Flow = 'next' | 'break' | 'continue';
type Final = Result | undefined;

/** Runs one template; the generator yields the promises of asynchronous functions and returns the text. */
export function* run(program: Program, tree: Tree, data: Value): Run<string> {
  const budget = { steps: 0, output: '' };
  const executor = new Executor(program, tree, budget, 0);
  yield* executor.execute(data);
  return budget.output;
}

/**
 * Evaluates one template. It is one class, and long for that, because every node kind shares the variables, the place for
 * errors and the budget, and calls the others.
 */
class Executor {
  readonly #program: Program;
  readonly #tree: Tree;
  readonly #budget: { steps: number; output: string };
  readonly #depth: number;
  #variables: { name: string; value: Result }[] = [];
  /** Where execution is, for errors. */
  #node: Node | OperandNode | CommandNode | null = null;

  constructor(
    program: Program,
    tree: Tree,
    budget: { steps: number; output: string },
    depth: number,
  ) {
    this.#program = program;
    this.#tree = tree;
    this.#budget = budget;
    this.#depth = depth;
  }

  *execute(data: Result): Run<void> {
    this.#variables = [{ name: '$', value: data }];
    yield* this.#list(data, this.#tree.nodes);
  }

  *#list(dot: Result, nodes: readonly Node[]): Run<Flow> {
    for (const node of nodes) {
      const flow = yield* this.#walk(dot, node);
      if (flow !== 'next') return flow;
    }
    return 'next';
  }

  *#walk(dot: Result, node: Node): Run<Flow> {
    this.#node = node;
    this.#step();
    switch (node.kind) {
      case 'text':
        this.#write(node.text);
        return 'next';
      case 'action': {
        const value = yield* this.#pipeline(dot, node.pipe);
        if (node.pipe.variables.length === 0) this.#print(node, value);
        return 'next';
      }
      case 'if':
      case 'with':
        return yield* this.#ifOrWith(dot, node);
      case 'range':
        return yield* this.#range(dot, node);
      case 'break':
      case 'continue':
        return node.kind;
      case 'template':
        yield* this.#template(dot, node.name, node.pipe);
        return 'next';
    }
  }

  *#ifOrWith(dot: Result, node: BranchNode): Run<Flow> {
    const scope = this.#variables.length;
    const value = yield* this.#pipeline(dot, node.pipe);
    let flow: Flow = 'next';
    if (isTrue(value)) {
      flow = yield* this.#list(node.kind === 'with' ? value : dot, node.body);
    } else if (node.otherwise !== null) {
      flow = yield* this.#list(dot, node.otherwise);
    }
    this.#variables.length = scope;
    return flow;
  }

  *#range(dot: Result, node: BranchNode): Run<Flow> {
    const scope = this.#variables.length;
    const value = yield* this.#pipeline(dot, node.pipe);
    const loop = this.#variables.length;
    let isEmpty = true;
    for (const [key, element] of this.#elements(node, value)) {
      isEmpty = false;
      this.#step();
      this.#bindLoop(node.pipe, loop, key, element);
      const flow = yield* this.#list(element, node.body);
      this.#variables.length = loop;
      if (flow === 'break') break;
    }
    let flow: Flow = 'next';
    if (isEmpty && node.otherwise !== null) flow = yield* this.#list(dot, node.otherwise);
    this.#variables.length = scope;
    return flow;
  }

  /** With two variables the index comes first; one alone gets the element. */
  #bindLoop(pipe: PipeNode, loop: number, key: Value, element: Value): void {
    const [first, second] = pipe.variables;
    if (first === undefined) return;
    const values = second === undefined ? [element] : [key, element];
    for (const [index, value] of values.entries()) {
      if (pipe.isAssign) this.#assign(pipe.variables[index]!.name, value);
      else this.#variables[loop - values.length + index]!.value = value;
    }
  }

  *#elements(node: BranchNode, value: Result): Generator<readonly [Value, Value]> {
    if (value === NO_VALUE || value === null) return;
    const entries = mapEntries(value);
    const items = listItems(value);
    if (entries !== null) {
      for (const key of sortedKeys(entries)) yield [key, entries.get(key) ?? null];
    } else if (items !== null) {
      for (let i = 0; i < items.length; i++) yield [BigInt(i), items[i]!];
    } else if (typeof value === 'bigint') {
      if (node.pipe.variables.length > 1) {
        this.#fail(`can't use ${value} to iterate over more than one variable`);
      }
      for (let i = 0n; i < value; i++) yield [i, i];
    } else {
      this.#fail(`range can't iterate over ${printValue(value)}`);
    }
  }

  *#template(dot: Result, name: string, pipe: PipeNode | null): Run<void> {
    const tree = this.#program.trees.get(name);
    if (tree === undefined) return this.#fail(`template ${quote(name)} not defined`);
    if (this.#depth >= this.#program.limits.maxDepth) {
      this.#fail(`exceeded maximum template depth (${this.#program.limits.maxDepth})`);
    }
    const data = pipe === null ? NO_VALUE : yield* this.#pipeline(dot, pipe);
    const inner = new Executor(this.#program, tree, this.#budget, this.#depth + 1);
    yield* inner.execute(data);
  }

  *#pipeline(dot: Result, pipe: PipeNode): Run<Result> {
    this.#node = pipe;
    let value: Final;
    for (const command of pipe.commands) {
      // What leaves a command has no type but its own, so a nil is no value at all.
      value = (yield* this.#command(dot, command, value)) ?? NO_VALUE;
    }
    const result = value ?? NO_VALUE;
    for (const variable of pipe.variables) {
      if (pipe.isAssign) this.#assign(variable.name, result);
      else this.#variables.push({ name: variable.name, value: result });
    }
    return result;
  }

  *#command(dot: Result, command: CommandNode, final: Final): Run<Result> {
    this.#step();
    const first = command.args[0]!;
    switch (first.kind) {
      case 'field':
        return yield* this.#fields(
          { dot, node: first, args: command.args, final },
          first.fields,
          dot,
        );
      case 'chain':
        return yield* this.#chain(dot, first, command.args, final);
      case 'variable':
        return yield* this.#variable(dot, first, command.args, final);
      case 'identifier':
        return yield* this.#function(first, { dot, node: command, args: command.args, final });
      default:
    }
    if (first.kind !== 'pipe') this.#node = first;
    if (command.args.length > 1 || final !== undefined) {
      this.#fail(`can't give argument to non-function ${showNode(first)}`);
    }
    if (first.kind === 'pipe') return yield* this.#pipeline(dot, first);
    if (first.kind === 'nil') return this.#fail('nil is not a command');
    return this.#constant(dot, first);
  }

  #constant(dot: Result, node: Exclude<OperandNode, PipeNode | ChainNode>): Result {
    switch (node.kind) {
      case 'dot':
        return dot;
      case 'bool':
      case 'string':
        return node.value;
      case 'number':
        if (node.isFloatLiteral) return node.float;
        return node.int ?? this.#fail(`${node.literal} overflows int`);
      default:
        return null;
    }
  }

  *#variable(
    dot: Result,
    node: VariableNode,
    args: readonly OperandNode[],
    final: Final,
  ): Run<Result> {
    this.#node = node;
    const value = this.#lookup(node.name);
    if (node.fields.length > 0) {
      return yield* this.#fields({ dot, node, args, final }, node.fields, value);
    }
    if (args.length > 1 || final !== undefined) {
      this.#fail(`can't give argument to non-function ${showNode(args[0] ?? node)}`);
    }
    return value;
  }

  *#chain(dot: Result, node: ChainNode, args: readonly OperandNode[], final: Final): Run<Result> {
    this.#node = node;
    const receiver = yield* this.#argument(dot, 'any', node.operand);
    return yield* this.#fields({ dot, node, args, final }, node.fields, receiver);
  }

  /** `.A.B.C args`: only the last field may be given arguments. */
  *#fields(call: Call, fields: readonly string[], start: Result): Run<Result> {
    if (call.node.kind === 'field') this.#node = call.node;
    const bare: Call = { ...call, args: call.args.slice(0, 1), final: undefined };
    let receiver = start;
    for (const field of fields.slice(0, -1)) receiver = yield* this.#field(bare, field, receiver);
    return yield* this.#field(call, fields.at(-1)!, receiver);
  }

  *#field(call: Call, name: string, receiver: Result): Run<Result> {
    const hasArguments = call.args.length > 1 || call.final !== undefined;
    if (receiver === NO_VALUE) {
      if (this.#program.missingKey === 'error')
        this.#fail(`nil data; no entry for key ${quote(name)}`);
      return NO_VALUE;
    }
    if (receiver === null) return this.#fail(`nil pointer evaluating interface {}.${name}`);
    const method = methodOf(receiver, name);
    if (method !== null) {
      const spec: GoFunctionSpec = {
        params: method.params,
        ...(method.variadic === undefined ? {} : { variadic: method.variadic }),
        call: (args) => method.call(receiver, args),
      };
      return yield* this.#call(call, name, spec);
    }
    if (receiver instanceof GoStruct && Object.hasOwn(receiver.fields, name)) {
      if (!/^\p{Lu}/u.test(name)) {
        this.#fail(`${name} is an unexported field of struct type ${typeName(receiver)}`);
      }
      if (hasArguments) this.#fail(`${name} has arguments but cannot be invoked as function`);
      return receiver.fields[name] ?? null;
    }
    if (mapEntries(receiver) === null) {
      return this.#fail(`can't evaluate field ${name} in type ${typeName(receiver)}`);
    }
    if (hasArguments) this.#fail(`${name} is not a method but has arguments`);
    return this.#entry(receiver, name);
  }

  #entry(map: Value, key: MapKey): Result {
    const found = entryAt(map, key);
    if (found !== undefined) return found;
    switch (this.#program.missingKey) {
      case 'default':
        return NO_VALUE;
      case 'error':
        return this.#fail(`map has no entry for key ${quote(String(key))}`);
      case 'zero':
        return map instanceof GoMap ? map.type.zero : null;
    }
  }

  *#function(node: IdentifierNode, call: Call): Run<Result> {
    this.#node = node;
    const { name } = node;
    const spec = this.#program.functions.get(name);
    if (spec !== undefined) return yield* this.#call(call, name, spec);
    if (!SPECIAL_BUILTINS.has(name)) return this.#fail(`${quote(name)} is not a defined function`);
    if (name === 'call') return yield* this.#callValue(call);
    return yield* this.#andOr(call, name === 'or');
  }

  /** The first argument that decides, else the last. Later ones are not evaluated. */
  *#andOr(call: Call, decidingTruth: boolean): Run<Result> {
    const rest = call.args.slice(1);
    if (rest.length === 0 && call.final === undefined) {
      this.#wrongCount(decidingTruth ? 'or' : 'and', 1, 0, true);
    }
    let value: Result = NO_VALUE;
    for (const arg of rest) {
      value = yield* this.#argument(call.dot, 'any', arg);
      if (isTrue(value) === decidingTruth) return value;
    }
    return call.final === undefined ? value : call.final;
  }

  /** The builtin `call`: its first argument is a function value, and errors are those of `call` itself. */
  *#callValue(call: Call): Run<Result> {
    const values: Value[] = [];
    for (const arg of call.args.slice(1)) {
      values.push(yield* this.#argument(call.dot, 'any', arg));
    }
    if (call.final !== undefined) values.push(this.#validated(call.final, 'any'));
    const [target, ...args] = values;
    if (target === undefined) return this.#wrongCount('call', 1, 0, true);
    const fail = (message: string): never => {
      this.#node = call.node;
      return this.#fail(`error calling call: ${message}`);
    };
    const written = call.args[1];
    const shown = written === undefined ? describe(target) : showNode(written);
    if (target === null) return fail('call of nil');
    if (!(target instanceof GoFunction)) {
      return fail(`non-function ${shown} of type ${typeName(target)}`);
    }
    const { params, variadic } = target.spec;
    const isFew = args.length < params.length;
    if (isFew || (variadic === undefined && args.length > params.length)) {
      const want = variadic === undefined ? `${params.length}` : `at least ${params.length}`;
      fail(`wrong number of args for ${shown}: got ${args.length} want ${want}`);
    }
    for (const [index, arg] of args.entries()) {
      const type = params[index] ?? variadic ?? 'any';
      if (arg === null ? isNilable(type) : accepts(type, arg)) continue;
      const what = arg === null ? 'value is nil' : `value has type ${typeName(arg)}`;
      const join = arg === null ? 'should be of type' : 'should be';
      fail(`arg ${index}: ${what}; ${join} ${paramName(type)}`);
    }
    return yield* this.#invoke(call, 'call', target.spec, args);
  }

  *#call(call: Call, name: string, spec: GoFunctionSpec): Run<Result> {
    const args = call.args.slice(1);
    const count = args.length + (call.final === undefined ? 0 : 1);
    const fixed = spec.params.length;
    if (spec.variadic === undefined ? count !== fixed : count < fixed) {
      this.#wrongCount(name, fixed, count, spec.variadic !== undefined);
    }
    const values: Value[] = [];
    for (const [index, arg] of args.entries()) {
      const type = spec.params[index] ?? spec.variadic ?? 'any';
      values.push(yield* this.#argument(call.dot, type, arg));
    }
    if (call.final !== undefined) {
      const type = spec.params[args.length] ?? spec.variadic ?? 'any';
      values.push(this.#validated(call.final, type));
    }
    return yield* this.#invoke(call, name, spec, values);
  }

  *#invoke(call: Call, name: string, spec: GoFunctionSpec, values: readonly Value[]): Run<Result> {
    let result: Value;
    try {
      const returned = spec.call(values);
      result = returned instanceof Promise ? yield returned : returned;
    } catch (error) {
      if (!OperatingError.is(error) || error instanceof TemplateError) throw error;
      this.#node = call.node;
      return this.#fail(`error calling ${name}: ${error.message}`, error);
    }
    this.#checkLength(result);
    return result;
  }

  #wrongCount(name: string, want: number, got: number, isVariadic: boolean): never {
    const wanted = isVariadic ? `at least ${want}` : String(want);
    return this.#fail(`wrong number of args for ${name}: want ${wanted} got ${got}`);
  }

  *#argument(dot: Result, type: ParamType, node: OperandNode): Run<Value> {
    this.#node = node;
    switch (node.kind) {
      case 'dot':
        return this.#validated(dot, type);
      case 'nil':
        if (isNilable(type)) return null;
        return this.#fail(`cannot assign nil to ${paramName(type)}`);
      case 'field':
        return this.#validated(
          yield* this.#fields({ dot, node, args: [node], final: undefined }, node.fields, dot),
          type,
        );
      case 'variable':
        return this.#validated(yield* this.#variable(dot, node, [node], undefined), type);
      case 'pipe':
        return this.#validated(yield* this.#pipeline(dot, node), type);
      case 'identifier':
        return this.#validated(
          yield* this.#function(node, { dot, node, args: [node], final: undefined }),
          type,
        );
      case 'chain':
        return this.#validated(yield* this.#chain(dot, node, [node], undefined), type);
      default:
        return this.#literal(node, type);
    }
  }

  /** A literal takes the type of its parameter: `1` is a float where a float is wanted. */
  #literal(
    node: Extract<OperandNode, { kind: 'bool' | 'string' | 'number' }>,
    type: ParamType,
  ): Value {
    const shown = showNode(node);
    switch (type) {
      case 'bool':
        return node.kind === 'bool' ? node.value : this.#fail(`expected bool; found ${shown}`);
      case 'string':
        return node.kind === 'string' ? node.value : this.#fail(`expected string; found ${shown}`);
      case 'float64':
        return node.kind === 'number' ? node.float : this.#fail(`expected float; found ${shown}`);
      case 'int':
        if (node.kind === 'number' && node.int !== null) return node.int;
        return this.#fail(`expected integer; found ${shown}`);
      default:
    }
    const value = this.#constant(null, node) as Value;
    if (accepts(type, value)) return value;
    return this.#fail(`can't handle ${shown} for arg of type ${paramName(type)}`);
  }

  #validated(value: Result, type: ParamType): Value {
    if ((value === NO_VALUE || value === null) && isNilable(type)) return null;
    if (value === NO_VALUE) return this.#fail(`invalid value; expected ${paramName(type)}`);
    if (value !== null && accepts(type, value)) return value;
    const actual = value === null ? 'interface {}' : typeName(value);
    return this.#fail(`wrong type for value; expected ${paramName(type)}; got ${actual}`);
  }

  #lookup(name: string): Result {
    for (let i = this.#variables.length - 1; i >= 0; i--) {
      if (this.#variables[i]!.name === name) return this.#variables[i]!.value;
    }
    return this.#fail(`undefined variable: ${name}`);
  }

  #assign(name: string, value: Result): void {
    for (let i = this.#variables.length - 1; i >= 0; i--) {
      if (this.#variables[i]!.name !== name) continue;
      this.#variables[i]!.value = value;
      return;
    }
    this.#fail(`undefined variable: ${name}`);
  }

  #print(node: Node, value: Result): void {
    this.#node = node;
    if (value === NO_VALUE || value === null) {
      this.#write('<no value>');
      return;
    }
    if (kindOf(value) === 'func') {
      this.#fail(`can't print ${showNode(node)} of type ${typeName(value)}`);
    }
    this.#write(printPointed(value));
  }

  #write(text: string): void {
    const { maxOutputLength } = this.#program.limits;
    if (this.#budget.output.length + text.length > maxOutputLength) this.#tooLong();
    this.#budget.output += text;
  }

  #checkLength(value: Value): void {
    const text = textOf(value);
    if (text !== null && text.length > this.#program.limits.maxOutputLength) this.#tooLong();
  }

  #tooLong(): never {
    throw new TemplateLimitError(
      'output length',
      `template: ${this.#program.name}: output is longer than ${this.#program.limits.maxOutputLength} characters`,
    );
  }

  #step(): void {
    if (++this.#budget.steps <= this.#program.limits.maxSteps) return;
    throw new TemplateLimitError(
      'steps',
      `template: ${this.#program.name}: more than ${this.#program.limits.maxSteps} steps; a loop is too long`,
    );
  }

  #fail(message: string, cause?: unknown): never {
    const node = this.#node;
    const { name, file, source } = this.#tree;
    if (node === null) {
      throw new TemplateError('GOTEMPLATE.EXECUTE', `template: ${name}: ${message}`, {
        template: name,
        line: 0,
        column: 0,
      });
    }
    const before = source.slice(0, node.offset);
    const lineStart = before.lastIndexOf('\n') + 1;
    const line = before.split('\n').length;
    const column = new TextEncoder().encode(before.slice(lineStart)).length;
    throw new TemplateError(
      'GOTEMPLATE.EXECUTE',
      `template: ${file}:${line}:${column}: executing ${quote(name)} at <${showNode(node)}>: ${message}`,
      { template: name, line, column },
      cause === undefined ? undefined : { cause },
    );
  }
}

/** A value that has no place in the template's text, as Go's reflection describes it. */
function describe(value: Value): string {
  return typeof value === 'string' ? value : `<${typeName(value)} Value>`;
}

/** A field, method or function with its arguments; `args[0]` is the callee itself. */
type Call = {
  readonly dot: Result;
  readonly node: OperandNode | CommandNode;
  readonly args: readonly OperandNode[];
  /** The value piped in, which becomes the last argument. */
  readonly final: Final;
};
