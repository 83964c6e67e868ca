import { Document, isScalar, isSeq, Scalar, visit } from 'yaml';

/**
 * What Go's decoder takes for something else than a text when it stands bare: nothing, truth, numbers (of base 60 too),
 * dates. Go's encoder puts such texts in double quotes, others that need quotes in single ones.
 */
const NO_TEXT = new RegExp(
  [
    '',
    '~|null|Null|NULL|<<',
    'y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF|true|True|TRUE|false|False|FALSE',
    '[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)',
    '[-+]?(?:[0-9][0-9_]*\\.?[0-9_]*|\\.[0-9_]+)(?:[eE][-+]?[0-9]+)?',
    '[-+]?\\.(?:inf|Inf|INF)|\\.(?:nan|NaN|NAN)',
    '[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\\.[0-9_]*)?',
    '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9:.]+(?:Z|[-+][0-9:]+)?)?',
  ]
    .map((one) => `^(?:${one})$`)
    .join('|'),
);

const MERGE = 'tag:yaml.org,2002:merge';

export type YamlFormat = {
  /** Keys whose lists stand in brackets on one line. */
  readonly inlineLists?: readonly string[];
};

/**
 * A plain value as YAML in the form that Go's encoder gives: lists not indented, long lines whole, quotes as it sets them.
 * Secrets print masked.
 */
export function formatYaml(value: unknown, { inlineLists = [] }: YamlFormat = {}): string {
  const document = new Document(JSON.parse(JSON.stringify(value)), {
    version: '1.1',
    // A plain value has no anchors to merge: its key `<<` is a text, and bare it would be read back as a merge.
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || tag.tag !== MERGE),
  });
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value !== 'string') return;
      if (NO_TEXT.test(node.value)) node.type = Scalar.QUOTE_DOUBLE;
      // The marks between documents are texts too where they are values.
      else if (node.value === '...' || node.value === '---') node.type = Scalar.QUOTE_SINGLE;
    },
    Pair: (_, { key, value: list }) => {
      if (!isScalar(key) || !isSeq(list) || !inlineLists.includes(String(key.value))) return;
      list.flow = true;
      for (const item of list.items) {
        // Within brackets Go quotes whatever has a colon.
        const hasColon = isScalar(item) && String(item.value).includes(':');
        if (hasColon) item.type = Scalar.QUOTE_SINGLE;
      }
    },
  });
  return document
    .toString({
      indentSeq: false,
      lineWidth: 0,
      singleQuote: true,
      flowCollectionPadding: false,
    })
    .replace(/^%YAML 1\.1\n---\n/, '');
}
