export type {
  ActionNode,
  BranchNode,
  ChainNode,
  CommandNode,
  FieldNode,
  Node,
  OperandNode,
  PipeNode,
  TemplateNode,
  TextNode,
  Tree,
  VariableNode,
} from './ast.ts';
export {
  FunctionError,
  TemplateError,
  type TemplateErrorCode,
  TemplateLimitError,
} from './errors.ts';
export { escapeHtml, escapeJs, escapeUrlQuery } from './escape.ts';
export type { Limits, MissingKey } from './executor.ts';
export { formatFloat } from './format/float.ts';
export { printValue } from './format/print.ts';
export { sprintf } from './format/printf.ts';
export { quote, unquote } from './format/quote.ts';
export { fourDigits, humanizeDuration, scaleUp, toFloat } from './library/humanize.ts';
export { toJson } from './library/json.ts';
export {
  titleWords,
  toLower,
  toUpper,
  trimSpace,
} from './library/text.ts';
export {
  DEFAULT_LIMITS,
  type Functions,
  parseTemplate,
  type TemplateOptions,
  TemplateSet,
} from './template-set.ts';
export {
  durationNanos,
  durationSeconds,
  formatGoDuration,
  goDuration,
  isGoDuration,
} from './time/duration.ts';
export { parseTime } from './time/parse-time.ts';
export { GoTime, TIME_PARAM, ZERO_TIME_NANOS } from './time/time.ts';
export { isPlace, zoneOffsetSeconds } from './time/zone.ts';
export {
  type CustomParam,
  GoFunction,
  type GoFunctionSpec,
  GoList,
  GoMap,
  type GoMapType,
  GoScalar,
  GoStruct,
  type GoType,
  HTML_TYPE,
  isTrue,
  type Kind,
  kindOf,
  type MapKey,
  type Method,
  type ParamType,
  stringList,
  stringMap,
  typeName,
  URL_TYPE,
  type Value,
} from './value.ts';
