import { errorText } from '@pollux/base';
import { Composer, type CST, type Document, LineCounter, Parser } from 'yaml';
import { ConfigError } from './errors.ts';

/** Deepest nesting. Composing and all readers of nodes are recursive, and a stack that ends kills the process. */
const MAX_DEPTH = 256;

export type ComposedYaml = { readonly document: Document.Parsed; readonly lines: LineCounter };

/**
 * Text to the one document it holds, without broken syntax. All refusals are ConfigErrors with line and column.
 * YAML 1.1 as Go's yaml.v2/v3 reads booleans would turn `on` into true; Prometheus' structs take such words as strings.
 */
export function composeYaml(text: string, file: string): ComposedYaml {
  const lines = new LineCounter();
  const refuse = (offset: number, reason: string): never => {
    const { line, col } = lines.linePos(offset);
    throw new ConfigError(`${file}:${line}:${col}`, `not valid YAML: ${reason}`);
  };
  function* shallow(tokens: Iterable<CST.Token>): Generator<CST.Token> {
    for (const token of tokens) {
      const at = tooDeepAt(token);
      if (at !== null) refuse(at, `nested deeper than ${MAX_DEPTH} levels`);
      yield token;
    }
  }
  const composer = new Composer({ version: '1.2', uniqueKeys: true, merge: true });
  const tokens = shallow(new Parser(lines.addNewLine).parse(text));
  let document: Document.Parsed | null = null;
  try {
    for (const next of composer.compose(tokens, true, text.length)) {
      if (document === null) document = next as Document.Parsed;
      else refuse(next.range[0], 'a second document begins; only one is read');
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(file, `not valid YAML: ${errorText(error)}`, { cause: error });
  }
  if (document === null) throw new ConfigError(file, 'not valid YAML: no document');
  const problem = document.errors[0];
  if (problem !== undefined) refuse(problem.pos[0], problem.message.split('\n')[0] ?? '');
  refuseControlCharacters(text, refuse);
  return { document, lines };
}

/** Where the tree of tokens goes below the limit, as an offset; null when it does not. Iterative on purpose. */
function tooDeepAt(root: CST.Token): number | null {
  const open: [token: CST.Token, depth: number][] = [[root, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [token, depth] = next;
    if (depth > MAX_DEPTH) return 'offset' in token ? token.offset : 0;
    if (token.type === 'document' && token.value !== undefined) open.push([token.value, depth]);
    if (!('items' in token)) continue;
    for (const { key, value } of token.items) {
      if (key) open.push([key, depth + 1]);
      if (value) open.push([value, depth + 1]);
    }
  }
  return null;
}

/** YAML 1.2, section 5.1: the parser lets them pass, Go's does not. */
function refuseControlCharacters(
  text: string,
  refuse: (offset: number, reason: string) => never,
): void {
  const at = text.search(/[^\P{Cc}\t\n\r\x85]/u);
  if (at >= 0) refuse(at, 'control characters are not allowed');
}
