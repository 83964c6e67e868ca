import { LabelsBuilder, quoteText } from '@pollux/model';
import { QueryError } from '../errors.ts';
import { isValidUtf8, quoteWithBytes } from '../parser/string-literal.ts';
import type { SeriesInfo } from './batch.ts';
import type { LabelReplacements } from './label-replacements.ts';

type SeriesMap = (info: SeriesInfo) => SeriesInfo;

/** label_replace(v, destination, replacement, source, regex). */
export function labelReplace(
  args: {
    readonly destination: string;
    readonly replacement: string;
    readonly source: string;
    readonly regex: string;
  },
  replacements: LabelReplacements,
): SeriesMap {
  const { destination, replacement, source, regex } = args;
  const replace = replacements.of(regex, replacement);
  if (!isValidLabelName(destination)) {
    throw QueryError.execution(`invalid destination label name in label_replace(): ${destination}`);
  }
  return (info) => {
    const replaced = replace(info.labels.get(source));
    return replaced === null ? info : withLabel(info, destination, replaced);
  };
}

/** label_join(v, destination, separator, source…). */
export function labelJoin(
  destination: string,
  separator: string,
  sources: readonly string[],
): SeriesMap {
  for (const source of sources) {
    if (!isValidLabelName(source))
      throw QueryError.execution(`invalid source label name in label_join(): ${source}`);
  }
  if (!isValidLabelName(destination))
    throw QueryError.execution(`invalid destination label name in label_join(): ${destination}`);
  return (info) =>
    withLabel(info, destination, sources.map((name) => info.labels.get(name)).join(separator));
}

/** A name written by the user is one to keep, even where the old one was to go. */
function withLabel(info: SeriesInfo, name: string, value: string): SeriesInfo {
  const labels = new LabelsBuilder(info.labels).set(name, value).build();
  return { labels, dropName: name === '__name__' ? false : info.dropName };
}

function isValidLabelName(name: string): boolean {
  return name !== '' && isValidUtf8(name);
}

/** A label name for messages. */
export function shownName(name: string): string {
  return quoteWithBytes(name, quoteText);
}
