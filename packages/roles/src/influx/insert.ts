export type Insert = {
  /** Empty: the shell's own. */
  readonly database: string;
  /** Empty: the shell's own. */
  readonly policy: string;
  /** Line protocol. */
  readonly line: string;
};

/** Reads what follows `insert`: `[into [database.]policy] line`. */
export function readInsert(argument: string): Insert {
  const into = /^into\s+/i.exec(argument);
  if (into === null) return { database: '', policy: '', line: argument };
  const rest = argument.slice(into[0].length);
  const match = IDENTIFIERS.exec(rest);
  if (match === null) return { database: '', policy: '', line: rest };
  const line = rest.slice(match[0].length).trim();
  const [first = '', second] = identifiers(match[0]);
  return second === undefined
    ? { database: '', policy: first, line }
    : { database: first, policy: second, line };
}

const IDENTIFIER = String.raw`"(?:[^"\\]|\\.)*"|[^\s".]+`;
const IDENTIFIERS = new RegExp(`^(?:${IDENTIFIER})(?:\\.(?:${IDENTIFIER}))?`);

/** The one or two names of `name`, `"name"`, `a.b`, `"a"."b"`; none when the text is no name. */
export function identifiers(text: string): readonly string[] {
  const match = IDENTIFIERS.exec(text.trim());
  if (match === null) return [];
  return [...match[0].matchAll(new RegExp(IDENTIFIER, 'g'))].map(([name]) =>
    name.startsWith('"') ? name.slice(1, -1).replace(/\\(.)/g, '$1') : name,
  );
}
