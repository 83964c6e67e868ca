import { OperatingError } from '@pollux/base';
import {
  type ConfigNode,
  type DecodeContext,
  type Decoder,
  list,
  placeText,
  refuse,
  string,
} from '@pollux/config';
import { isLegacyLabelName, Matcher } from '@pollux/model';
import { type MatcherMode, parseMatchers } from '../matcher/parse.ts';

/** Matchers of the deprecated maps, with the map as it was written. */
export type WrittenMatchers = {
  readonly matchers: readonly Matcher[];
  readonly written: Readonly<Record<string, string>>;
};

export const NO_MATCHERS: WrittenMatchers = { matchers: [], written: {} };

/** `match:` maps label names to values. */
export const equalMatchers: Decoder<WrittenMatchers> = (node, path, context) => {
  const pairs = entries(node, path).map(({ key, value }) => {
    const text = value.kind === 'null' ? '' : string(value, path, context);
    return [checkedName(value, path, key), text] as const;
  });
  const matchers = pairs.map(([name, text]) => new Matcher(name, '=', text));
  return { matchers, written: Object.fromEntries(pairs) };
};

/** `match_re:` maps label names to patterns, which are spelt in their anchored form. */
export const patternMatchers: Decoder<WrittenMatchers> = (node, path, context) => {
  const read = entries(node, path).map(({ key, value }) => {
    checkedName(value, path, key);
    if (value.kind === 'null') refuse(value, path, `invalid regexp value for "${key}"`);
    const source = string(value, path, context);
    return guarded(value, `${path}.${key}`, () => ({
      source,
      matcher: new Matcher(key, '=~', `^(?:${source})$`),
    }));
  });
  return {
    matchers: read.map(({ matcher }) => matcher),
    written: Object.fromEntries(read.map(({ source, matcher }) => [matcher.name, source])),
  };
};

/** `matchers:` is a list of strings, each of which may hold several. */
export function matcherList(mode: MatcherMode): Decoder<readonly Matcher[]> {
  return (node, path, context) => {
    if (node.kind === 'null') return [];
    if (node.kind !== 'list') return refuse(node, path, 'must be a list of matchers');
    return node.items.flatMap((item, index) => {
      const place = `${path}[${index}]`;
      return guarded(item, place, () => {
        const parsed = parseMatchers(string(item, place, context), mode);
        if (parsed.warning !== null) warn(context, item, `${place}: ${parsed.warning}`);
        return parsed.matchers;
      });
    });
  };
}

function warn(context: DecodeContext, node: ConfigNode, message: string): void {
  context.warnings.push(`${placeText(node.place)}: ${message}`);
}

function entries(node: ConfigNode, path: string) {
  if (node.kind === 'null') return [];
  return node.kind === 'map' ? node.entries : refuse(node, path, 'must be a map');
}

function checkedName(node: ConfigNode, path: string, name: string): string {
  return isLegacyLabelName(name) ? name : refuse(node, path, `invalid label name "${name}"`);
}

/** Names of labels in a list: letters, digits and `_` in classic mode, any UTF-8 but nothing at all otherwise. */
export function labelNameList(mode: MatcherMode, where: string): Decoder<readonly string[]> {
  return (node, path, context) =>
    list(string)(node, path, context).map((name, index) => {
      if (isLabelName(name, mode)) return name;
      const item = node.kind === 'list' ? node.items[index] : undefined;
      return refuse(item ?? node, `${path}[${index}]`, `invalid label name "${name}" in ${where}`);
    });
}

export function isLabelName(name: string, mode: MatcherMode): boolean {
  return mode === 'classic' ? isLegacyLabelName(name) : name !== '';
}

function guarded<T>(node: ConfigNode, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (OperatingError.is(error)) refuse(node, path, error.message);
    throw error;
  }
}
