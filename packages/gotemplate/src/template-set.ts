import { isEmptyBody, type Tree } from './ast.ts';
import { builtins, SPECIAL_BUILTINS } from './builtins.ts';
import { TemplateError } from './errors.ts';
import { type Limits, type MissingKey, type Program, run } from './executor.ts';
import { quote } from './format/quote.ts';
import { escapeTrees } from './html/escape-trees.ts';
import { escaperFunctions } from './html/escapers.ts';
import { parseTrees } from './parser.ts';
import type { GoFunctionSpec, Value } from './value.ts';

/** Functions by the name templates call them by. They may shadow Go's own. */
export type Functions = Readonly<Record<string, GoFunctionSpec>>;

export type TemplateOptions = {
  readonly functions?: Functions;
  readonly missingKey?: MissingKey;
  /** Whether the templates make HTML: then every value is escaped as its place in the document wants (html/template). */
  readonly html?: boolean;
  readonly limits?: Partial<Limits>;
};

/** Enough for any notification, small enough that a runaway template costs milliseconds. */
export const DEFAULT_LIMITS: Limits = {
  maxSteps: 1_000_000,
  maxOutputLength: 8 * 1024 * 1024,
  maxDepth: 100,
};

/**
 * Templates that can call each other. A definition replaces an earlier one of its name, except that an empty one never
 * replaces one with content; so a user's file may redefine what the built-in files define.
 */
export class TemplateSet {
  readonly #options: TemplateOptions;
  readonly #limits: Limits;
  readonly #functions: ReadonlyMap<string, GoFunctionSpec>;
  readonly #trees: Map<string, Tree>;

  constructor(options: TemplateOptions = {}, trees: Iterable<Tree> = []) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const own = builtins(this.#limits.maxOutputLength);
    const given = options.functions ?? {};
    const escapers = options.html === true ? escaperFunctions() : {};
    this.#functions = new Map(Object.entries({ ...own, ...given, ...escapers }));
    this.#trees = new Map();
    for (const tree of trees) this.#trees.set(tree.name, tree);
  }

  /**
   * Parses a file and takes over its own template (under `name`) and its definitions. Throws TemplateError and then has
   * changed nothing.
   */
  add(name: string, text: string): void {
    const trees = parseTrees(
      name,
      text,
      (called) => this.#functions.has(called) || SPECIAL_BUILTINS.has(called),
    );
    for (const tree of trees) {
      const known = this.#trees.get(tree.name);
      if (known !== undefined && isEmptyBody(tree.nodes)) continue;
      this.#trees.set(tree.name, tree);
    }
  }

  /** An independent set with the same templates and options; cheap, since trees are shared. `functions` replace their like. */
  clone(functions: Functions = {}): TemplateSet {
    const options = { ...this.#options, functions: { ...this.#options.functions, ...functions } };
    return new TemplateSet(options, this.#trees.values());
  }

  has(name: string): boolean {
    return this.#trees.has(name);
  }

  /** The parsed templates, for whoever rewrites them (contextual escaping) or checks them. */
  trees(): readonly Tree[] {
    return [...this.#trees.values()];
  }

  /** Renders the template `name` with `data` as dot. Throws TemplateError or TemplateLimitError. */
  execute(name: string, data: Value): string {
    const execution = this.#begin(name, data);
    const first = execution.next();
    if (first.done === true) return first.value;
    // The promise is not awaited here; without a handler its rejection would end the process.
    first.value.catch(() => {});
    throw new TemplateError(
      'GOTEMPLATE.EXECUTE',
      `template: ${name}: it calls a function that has to wait; use executeWaiting`,
      { template: name, line: 0, column: 0 },
    );
  }

  /** As {@link execute}, for sets with functions that return promises; `signal` ends it between calls. */
  async executeWaiting(name: string, data: Value, signal?: AbortSignal): Promise<string> {
    const execution = this.#begin(name, data);
    let step = execution.next();
    while (step.done !== true) {
      signal?.throwIfAborted();
      let value: Value;
      try {
        value = await step.value;
      } catch (error) {
        step = execution.throw(error);
        continue;
      }
      step = execution.next(value);
    }
    return step.value;
  }

  /** Parses `text` beside this set's templates and renders it, with `functions` in place of their like; the set stays as it is. */
  executeText(name: string, text: string, data: Value, functions: Functions = {}): string {
    const set = this.clone(functions);
    set.add(name, text);
    return set.execute(name, data);
  }

  /** As {@link executeText}, waiting for functions that return promises. */
  executeTextWaiting(
    name: string,
    text: string,
    data: Value,
    signal?: AbortSignal,
  ): Promise<string> {
    const set = this.clone();
    set.add(name, text);
    return set.executeWaiting(name, data, signal);
  }

  #begin(name: string, data: Value): ReturnType<typeof run> {
    const tree = this.#trees.get(name);
    if (tree === undefined) {
      throw new TemplateError(
        'GOTEMPLATE.UNKNOWN_TEMPLATE',
        `template: no template ${quote(name)} is defined`,
        { template: name, line: 0, column: 0 },
      );
    }
    const trees = this.#options.html === true ? escapeTrees(name, this.#trees) : this.#trees;
    const program: Program = {
      name,
      trees,
      functions: this.#functions,
      missingKey: this.#options.missingKey ?? 'default',
      limits: this.#limits,
    };
    return run(program, trees.get(name) ?? tree, data);
  }
}

/** One template of its own: parse once, execute often. */
export function parseTemplate(
  name: string,
  text: string,
  options: TemplateOptions = {},
): TemplateSet {
  const set = new TemplateSet(options);
  set.add(name, text);
  return set;
}
