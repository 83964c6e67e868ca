import { compileRe2, expandTemplate, LabelsBuilder, PatternError, quoteText } from '@pollux/model';
import { QueryError } from '../errors.ts';
import { isValidUtf8, quoteWithBytes } from '../parser/string-literal.ts';
import type { SeriesInfo } from './batch.ts';

type SeriesMap = (info: SeriesInfo) => SeriesInfo;

/** label_replace(v, destination, replacement, source, regex). */
export function labelReplace(
  destination: string,
  replacement: string,
  source: string,
  regex: string,
): SeriesMap {
  const program = compile(regex);
  if (!isValidLabelName(destination)) {
    throw QueryError.execution(`invalid destination label name in label_replace(): ${destination}`);
  }
  return (info) => {
    const value = info.labels.get(source);
    const matcher = program.matcher(value);
    if (!matcher.find()) return info;
    const expanded = expandTemplate(replacement, (name) => {
      if (/^\d+$/.test(name)) {
        const index = Number(name);
        return index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '';
      }
      return program.namedGroups()[name] === undefined ? '' : (matcher.group(name) ?? '');
    });
    return withLabel(info, destination, expanded);
  };
}

function compile(regex: string): ReturnType<typeof compileRe2> {
  try {
    return compileRe2(`^(?s:${regex})$`, regex);
  } catch (error) {
    if (error instanceof PatternError) {
      throw QueryError.execution(`invalid regular expression in label_replace(): ${regex}`);
    }
    throw error;
  }
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
