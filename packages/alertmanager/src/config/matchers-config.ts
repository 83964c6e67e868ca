import { OperatingError } from '@pollux/base';
import {
  type ConfigNode,
  type DecodeContext,
  type Decoder,
  placeText,
  refuse,
  string,
} from '@pollux/config';
import { Matcher } from '@pollux/model';
import { type MatcherMode, parseMatchers } from '../matcher/parse.ts';

/** `match:` maps label names to values. */
export const equalMatchers: Decoder<readonly Matcher[]> = (node, path, context) =>
  entries(node, path).map(
    ({ key, value }) =>
      new Matcher(checkedName(value, path, key), '=', string(value, path, context)),
  );

/** `match_re:` maps label names to patterns, which are spelt in their anchored form. */
export const patternMatchers: Decoder<readonly Matcher[]> = (node, path, context) =>
  entries(node, path).map(({ key, value }) => {
    if (value.kind === 'null')
      refuse(value, path, `${key}: a regular expression must not be empty`);
    const source = string(value, path, context);
    return guarded(
      value,
      `${path}.${key}`,
      () => new Matcher(checkedName(value, path, key), '=~', `^(?:${source})$`),
    );
  });

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
  return name === '' ? refuse(node, path, 'invalid label name ""') : name;
}

function guarded<T>(node: ConfigNode, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (OperatingError.is(error)) refuse(node, path, error.message);
    throw error;
  }
}
