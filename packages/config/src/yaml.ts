import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type ParsedNode,
  type YAMLMap,
} from 'yaml';
import { composeYaml } from './compose-yaml.ts';
import { ConfigError } from './errors.ts';
import { type ConfigEntry, type ConfigNode, type Place, placeText } from './node.ts';

/** Aliases may multiply; no configuration needs more than this many values in all. */
const MAX_NODES = 1_000_000;

/**
 * Parses one YAML document into nodes with places. `file` is how messages name it. Duplicate keys, several documents and
 * broken syntax are ConfigErrors with line and column. An empty file is an empty map. Bytes must be UTF-8.
 */
export function parseYaml(text: string | Uint8Array, file: string): ConfigNode {
  const decoded = typeof text === 'string' ? text : decodeUtf8(text, file);
  const { document, lines } = composeYaml(decoded, file);
  return new YamlReader(document, file, lines).read();
}

function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new ConfigError(file, 'not valid YAML: the text is not UTF-8', { cause: error });
  }
}

/** What an anchor stands for, with the number of its values when all aliases within are written out. */
type Anchored = { readonly node: ConfigNode; readonly size: number };

class YamlReader {
  readonly #document: Document.Parsed;
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, Anchored>();
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
    this.#count(1, fallback);
    if (node === null || node === undefined) return { kind: 'null', place: fallback };
    const place = this.#place(node, fallback);
    if (isAlias(node)) return this.#resolve(node.source, place);
    const before = this.#nodeCount;
    const converted = this.#convertValue(node, place);
    // Known only from here on, as YAML has it: an alias inside its own anchor finds nothing.
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) {
      this.#anchors.set(anchor, { node: converted, size: this.#nodeCount - before });
    }
    return converted;
  }

  /** An alias shares the nodes of its anchor, but counts as if they were written out: readers walk them all. */
  #resolve(anchor: string, place: Place): ConfigNode {
    const anchored = this.#anchors.get(anchor);
    if (anchored === undefined) {
      throw new ConfigError(placeText(place), `no anchor "${anchor}" stands before this alias`);
    }
    this.#count(anchored.size, place);
    return anchored.node;
  }

  #count(nodes: number, place: Place): void {
    this.#nodeCount += nodes;
    if (this.#nodeCount > MAX_NODES) {
      throw new ConfigError(placeText(place), `more than ${MAX_NODES} values`);
    }
  }

  #convertValue(node: Node, place: Place): ConfigNode {
    if (isMap(node)) return this.#convertMap(node as YAMLMap<Node | null, Node | null>, place);
    if (isSeq(node)) {
      const items = node.items.map((item) => this.#convert(item as Node, place));
      return { kind: 'list', place, items };
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

  #convertMap(node: YAMLMap<Node | null, Node | null>, place: Place): ConfigNode {
    const entries = new Map<string, ConfigEntry>();
    const bases: ConfigNode[] = [];
    for (const { key: keyNode, value } of node.items) {
      const keyPlace = keyNode === null ? place : this.#place(keyNode, place);
      if (!isScalar(keyNode))
        throw new ConfigError(placeText(keyPlace), 'a key must be a plain word');
      const key = String(keyNode.source ?? keyNode.value);
      const converted = this.#convert(value, keyPlace);
      if (key === '<<' && keyNode.type === 'PLAIN') {
        bases.push(...(converted.kind === 'list' ? converted.items : [converted]));
        continue;
      }
      // The parser compares values, so that it takes 1 and "1" for two keys.
      if (entries.has(key))
        throw new ConfigError(placeText(keyPlace), `key "${key}" stands here twice`);
      entries.set(key, { key, place: keyPlace, value: converted });
    }
    // `<<: *base` gives what neither the map itself nor an earlier base says.
    for (const base of bases) {
      if (base.kind !== 'map')
        throw new ConfigError(placeText(base.place), 'only a map can be merged');
      for (const entry of base.entries) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    }
    return { kind: 'map', place, entries: [...entries.values()] };
  }

  #place(node: Node, fallback: Place): Place {
    const offset = node.range?.[0];
    if (offset === undefined) return fallback;
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line, column: col };
  }
}
