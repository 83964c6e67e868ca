import {
  type ConfigNode,
  type Decoder,
  list,
  object,
  optional,
  record,
  refuse,
  string,
} from '@pollux/config';
import { Labels } from '@pollux/model';

/** A group as files, HTTP answers and `static_configs` spell it. */
export type WrittenGroup = { readonly targets: readonly Labels[]; readonly labels: Labels };

const ADDRESS = '__address__';

const address: Decoder<Labels> = (node, path, context) => {
  const text = string(node, path, context);
  if (text === '') refuse(node, path, 'must not be empty; write host:port');
  return Labels.from({ [ADDRESS]: text });
};

const writtenGroup = object({
  targets: optional(list(address), []),
  labels: optional(record(string), {}),
});

/** `[{targets: [...], labels: {...}}]`; an empty list item is refused, as Prometheus does. */
export const writtenGroups: Decoder<readonly WrittenGroup[]> = (node, path, context) => {
  const groups = list(writtenGroupItem)(node, path, context);
  return groups;
};

const writtenGroupItem: Decoder<WrittenGroup> = (node, path, context) => {
  refuseNull(node, path);
  const { targets, labels } = writtenGroup(node, path, context);
  return { targets, labels: Labels.from(labels) };
};

export function refuseNull(node: ConfigNode, path: string): void {
  if (node.kind === 'null') refuse(node, path, 'empty or null section');
}
