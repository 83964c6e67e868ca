import { type Decoder, nonEmptyString, object, optional, parsed, refuse } from '@pollux/config';
import { parseDuration } from '@pollux/model';

/** Path and query of remote read at the members of the group of stores. */
const readPath: Decoder<string> = (node, path, context) => {
  const text = nonEmptyString(node, path, context);
  return /^\/[\x21-\x7e]*$/.test(text) ? text : refuse(node, path, 'must begin with "/"');
};

export const longTermConfig = object({
  path: optional(readPath, '/api/v1/prom/read?db=prometheus'),
  /** So far back names are looked for by who names no start: as far as a server of Prometheus' default retention has them. */
  names_lookback: optional(parsed(parseDuration), 15 * 86_400_000),
});

export type LongTermConfig = ReturnType<typeof longTermConfig>;
