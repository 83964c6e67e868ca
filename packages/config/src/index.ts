export {
  boolean,
  byteSize,
  checked,
  type DecodeContext,
  type Decoded,
  type Decoder,
  type Fields,
  integer,
  list,
  nonEmptyString,
  nonNegativeInteger,
  nullable,
  number,
  object,
  oneOf,
  optional,
  parsed,
  raw,
  record,
  required,
  Secret,
  secret,
  strictContext,
  string,
} from './decoders.ts';
export { ConfigError } from './errors.ts';
export {
  type ConfigEntry,
  type ConfigNode,
  entryOf,
  type Place,
  placeText,
  refuse,
} from './node.ts';
export { plainValue, redactedYaml, shownAddress } from './redact.ts';
export { isSameConfig } from './same-config.ts';
export { parseToml } from './toml.ts';
export { parseYaml } from './yaml.ts';
export { formatYaml } from './yaml-format.ts';
