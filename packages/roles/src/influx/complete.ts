/** Asks the server for the names that a statement lists in the given column; empty where it cannot be asked. */
export type NamesSource = (statement: string, column: string) => Promise<readonly string[]>;

/** What may stand where the cursor is, each as it is to be written, and the typed text that it takes the place of. */
export type Completion = { readonly candidates: readonly string[]; readonly typed: string };

const COMMANDS = [
  'auth',
  'chunk size',
  'chunked',
  'clear',
  'connect',
  'consistency',
  'exit',
  'format',
  'help',
  'history',
  'insert',
  'node',
  'precision',
  'pretty',
  'quit',
  'settings',
  'use',
];
/** What follows a word of the shell or of InfluxQL. */
const FOLLOWING: Readonly<Record<string, readonly string[]>> = {
  format: ['column', 'csv', 'json'],
  precision: ['h', 'm', 'ms', 'ns', 'rfc3339', 's', 'u'],
  consistency: ['all', 'any', 'one', 'quorum'],
  clear: ['database', 'retention policy'],
  show: [
    'CONTINUOUS QUERIES',
    'DATABASES',
    'DIAGNOSTICS',
    'FIELD KEYS',
    'GRANTS FOR',
    'MEASUREMENT CARDINALITY',
    'MEASUREMENTS',
    'QUERIES',
    'RETENTION POLICIES',
    'SERIES',
    'SERIES CARDINALITY',
    'SHARD GROUPS',
    'SHARDS',
    'STATS',
    'SUBSCRIPTIONS',
    'TAG KEYS',
    'TAG VALUES',
    'USERS',
  ],
  create: ['CONTINUOUS QUERY', 'DATABASE', 'RETENTION POLICY', 'SUBSCRIPTION', 'USER'],
  drop: [
    'CONTINUOUS QUERY',
    'DATABASE',
    'MEASUREMENT',
    'RETENTION POLICY',
    'SERIES',
    'SHARD',
    'SUBSCRIPTION',
    'USER',
  ],
  alter: ['RETENTION POLICY'],
  group: ['BY'],
  order: ['BY'],
};
const STATEMENTS = [
  'ALTER',
  'CREATE',
  'DELETE',
  'DROP',
  'EXPLAIN',
  'GRANT',
  'KILL QUERY',
  'REVOKE',
  'SELECT',
  'SET PASSWORD FOR',
  'SHOW',
];
const CLAUSES = [
  'AND',
  'AS',
  'ASC',
  'DEFAULT',
  'DESC',
  'DURATION',
  'FROM',
  'GROUP BY',
  'INTO',
  'LIMIT',
  'OFFSET',
  'ON',
  'OR',
  'ORDER BY',
  'REPLICATION',
  'SHARD DURATION',
  'SLIMIT',
  'SOFFSET',
  'WHERE',
  'WITH',
];
const FUNCTIONS = [
  'bottom(',
  'count(',
  'cumulative_sum(',
  'derivative(',
  'difference(',
  'distinct(',
  'elapsed(',
  'fill(',
  'first(',
  'holt_winters(',
  'integral(',
  'last(',
  'max(',
  'mean(',
  'median(',
  'min(',
  'mode(',
  'moving_average(',
  'non_negative_derivative(',
  'non_negative_difference(',
  'now()',
  'percentile(',
  'sample(',
  'spread(',
  'stddev(',
  'sum(',
  'time(',
  'top(',
  'tz(',
];
const MAX_CANDIDATES = 200;
const NAME = String.raw`(?:"(?:[^"\\]|\\.)*"|[A-Za-z_][\w]*)`;
const SOURCE = new RegExp(String.raw`\bfrom\s+((?:${NAME}?\.){0,2}${NAME})`, 'i');

/**
 * Completes a line as it is typed at the prompt: commands of the shell, keywords and functions of InfluxQL, and the names that the
 * server knows where they may stand: databases, retention policies, measurements, and tags and fields of the measurement that is read.
 */
export async function complete(line: string, names: NamesSource): Promise<Completion> {
  // The statement of several that the cursor is in.
  const statement = line.slice(line.lastIndexOf(';') + 1);
  const isQuoted = (statement.match(/"/g)?.length ?? 0) % 2 === 1;
  const [typed = ''] = (isQuoted ? /"[^"]*$/ : /[\w.-]*$/).exec(statement) ?? [];
  const before = statement.slice(0, statement.length - typed.length).trim();
  const words = before.split(/[\s,(]+/).filter((word) => word !== '');
  const found = await offered(words, before, statement, names);
  const prefix = typed.replace(/^"/, '').toLowerCase();
  const isLower = /^[a-z]/.test(typed);
  const candidates = found
    .filter(({ text }) => text.toLowerCase().startsWith(prefix))
    .map(({ text, kind }) => {
      if (kind === 'name') return quoted(text, isQuoted);
      return kind === 'keyword' && isLower ? text.toLowerCase() : text;
    });
  return { candidates: [...new Set(candidates)].slice(0, MAX_CANDIDATES), typed };
}

type Offer = { readonly text: string; readonly kind: 'keyword' | 'word' | 'name' };

const keywords = (texts: readonly string[]): Offer[] =>
  texts.map((text) => ({ text, kind: 'keyword' }));
const wordsOf = (texts: readonly string[]): Offer[] =>
  texts.map((text) => ({ text, kind: 'word' }));

async function offered(
  words: readonly string[],
  before: string,
  statement: string,
  names: NamesSource,
): Promise<Offer[]> {
  const last = words.at(-1)?.toLowerCase();
  const listed = async (query: string, column: string): Promise<Offer[]> =>
    (await names(query, column)).map((text) => ({ text, kind: 'name' }));
  if (last === undefined) return [...wordsOf(COMMANDS), ...keywords(STATEMENTS)];
  const [first = ''] = words.map((word) => word.toLowerCase());
  if (words.length === 1 && FOLLOWING[last] !== undefined)
    return keywords(FOLLOWING[last]).map((offer) =>
      offer.text === offer.text.toUpperCase() ? offer : { ...offer, kind: 'word' },
    );
  if (words.length === 1 && (last === 'use' || last === 'insert')) {
    return last === 'use'
      ? listed('SHOW DATABASES', 'name')
      : listed('SHOW MEASUREMENTS LIMIT 1000', 'name');
  }
  switch (last) {
    case 'from':
    case 'measurement':
    case 'into':
      return listed('SHOW MEASUREMENTS LIMIT 1000', 'name');
    case 'on':
    case 'database':
      return listed('SHOW DATABASES', 'name');
    case 'policy':
      return listed('SHOW RETENTION POLICIES', 'name');
    case 'user':
      return listed('SHOW USERS', 'user');
    case 'group':
    case 'order':
      return keywords(FOLLOWING[last] ?? []);
    default:
      break;
  }
  const isReading = first === 'select' || first === 'explain' || first === 'delete';
  const general = [...keywords(CLAUSES), ...(isReading ? wordsOf(FUNCTIONS) : [])];
  if (!isReading && first !== 'show') return general;
  const [, source] = SOURCE.exec(statement) ?? [];
  const from = source === undefined ? '' : ` FROM ${source}`;
  const tags = await listed(`SHOW TAG KEYS${from}`, 'tagKey');
  // Groups are made of tags only.
  if (/\bgroup\s+by\b(?!.*\b(?:order|limit)\b)/i.test(before)) return [...tags, ...general];
  return [...(await listed(`SHOW FIELD KEYS${from}`, 'fieldKey')), ...tags, ...general];
}

function quoted(name: string, isQuoted: boolean): string {
  if (!isQuoted && /^[A-Za-z_]\w*$/.test(name)) return name;
  return `"${name.replace(/["\\]/g, '\\$&')}"`;
}
