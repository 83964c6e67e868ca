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
export {
  DEFAULT_LIMITS,
  type Functions,
  parseTemplate,
  type TemplateOptions,
  TemplateSet,
} from './template-set.ts';
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
  isTrue,
  type Kind,
  kindOf,
  type MapKey,
  type Method,
  type ParamType,
  stringList,
  stringMap,
  typeName,
  type Value,
} from './value.ts';
