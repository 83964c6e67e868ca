import { type Decoder, nonEmptyString, object, optional, refuse } from '@pollux/config';

/** Path and query of remote read at the members of the group of stores. */
const readPath: Decoder<string> = (node, path, context) => {
  const text = nonEmptyString(node, path, context);
  return /^\/[\x21-\x7e]*$/.test(text) ? text : refuse(node, path, 'must begin with "/"');
};

export const longTermConfig = object({
  path: optional(readPath, '/api/v1/prom/read?db=prometheus'),
});

export type LongTermConfig = ReturnType<typeof longTermConfig>;
