import { errorText } from '@pollux/base';
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
} from 'yaml';
import { ConfigError } from './errors.ts';
import { type ConfigEntry, type ConfigNode, type Place, placeText } from './node.ts';

/** Aliases may multiply; no configuration needs more than this many values in all. */
const MAX_NODES = 1_000_000;

/**
 * Parses one YAML document into nodes with places. `file` is how messages name it. Duplicate keys, several documents and
 * broken syntax are ConfigErrors with line and column. An empty file is an empty map.
 */
export function parseYaml(text: string, file: string): ConfigNode {
  const lineCounter = new LineCounter();
  let document: Document.Parsed;
  try {
    // YAML 1.1 as Go's yaml.v2/v3 reads booleans would turn `on` into true; Prometheus' structs take such words as strings.
    document = parseDocument(text, { lineCounter, version: '1.2', uniqueKeys: true, merge: true });
  } catch (error) {
    throw new ConfigError(file, `not valid YAML: ${errorText(error)}`, { cause: error });
  }
  const problem = document.errors[0];
  if (problem !== undefined) {
    const { line, col } = lineCounter.linePos(problem.pos[0]);
    const [reason = ''] = problem.message.split('\n');
    throw new ConfigError(
      `${file}:${line}:${col}`,
      `not valid YAML: ${reason.replace(/ at line \d+, column \d+:?$/, '')}`,
    );
  }
  return new YamlReader(document, file, lineCounter).read();
}

class YamlReader {
  readonly #document: Document.Parsed;
  readonly #file: string;
  readonly #lines: LineCounter;
  #nodeCount = 0;

  constructor(document: Document.Parsed, file: string, lines: LineCounter) {
    this.#document = document;
    this.#file = file;
    this.#lines = lines;
  }

  read(): ConfigNode {
    const root = this.#document.contents;
    const start: Place = { file: this.#file, line: 1, column: 1 };
    return root === null
      ? { kind: 'map', place: start, entries: [] }
      : this.#convert(root as ParsedNode, start);
  }

  #convert(node: Node | null, fallback: Place): ConfigNode {
    if (++this.#nodeCount > MAX_NODES) {
      throw new ConfigError(placeText(fallback), `more than ${MAX_NODES} values`);
    }
    if (node === null || node === undefined) return { kind: 'null', place: fallback };
    const place = this.#place(node, fallback);
    if (isAlias(node)) return this.#convert(node.resolve(this.#document) ?? null, place);
    if (isMap(node)) {
      const entries: ConfigEntry[] = [];
      for (const pair of node.items) {
        const keyNode = pair.key as Node | null;
        const keyPlace = keyNode === null ? place : this.#place(keyNode, place);
        const key = isScalar(keyNode) ? String(keyNode.source ?? keyNode.value) : null;
        if (key === null) throw new ConfigError(placeText(keyPlace), 'a key must be a plain word');
        if (key === '<<') {
          this.#merge(entries, this.#convert(pair.value as Node | null, keyPlace));
          continue;
        }
        entries.push({
          key,
          place: keyPlace,
          value: this.#convert(pair.value as Node | null, keyPlace),
        });
      }
      return { kind: 'map', place, entries };
    }
    if (isSeq(node)) {
      return {
        kind: 'list',
        place,
        items: node.items.map((item) => this.#convert(item as Node, place)),
      };
    }
    if (!isScalar(node)) throw new ConfigError(placeText(place), 'unsupported YAML value');
    const { value } = node;
    if (value === null || value === undefined) return { kind: 'null', place };
    const isQuoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
    const isPlain = typeof value === 'number' || typeof value === 'boolean';
    return {
      kind: 'scalar',
      place,
      text: isPlain ? (node.source ?? String(value)) : String(value),
      value: isPlain ? value : String(value),
      isQuoted: isQuoted || node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED',
    };
  }

  /** `<<: *base` gives what the map does not say itself. */
  #merge(entries: ConfigEntry[], base: ConfigNode): void {
    const maps = base.kind === 'list' ? base.items : [base];
    for (const map of maps) {
      if (map.kind !== 'map')
        throw new ConfigError(placeText(map.place), 'only a map can be merged');
      for (const entry of map.entries) {
        if (!entries.some((known) => known.key === entry.key)) entries.push(entry);
      }
    }
  }

  #place(node: Node, fallback: Place): Place {
    const offset = node.range?.[0];
    if (offset === undefined) return fallback;
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line, column: col };
  }
}
