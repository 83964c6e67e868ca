import {
  type ConfigNode,
  type Decoder,
  entryOf,
  integer,
  list,
  object,
  oneOf,
  optional,
  refuse,
  string,
} from '@pollux/config';
import {
  isLegacyLabelName,
  PatternError,
  type RelabelAction,
  type RelabelSettings,
  type RelabelStep,
  relabelStep,
} from '@pollux/model';

const ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const satisfies readonly RelabelAction[];

const action: Decoder<RelabelAction> = (node, path, context) => {
  const text = string(node, path, context).toLowerCase();
  const found = ACTIONS.find((candidate) => candidate === text);
  return (
    found ??
    refuse(node, path, `unknown relabel action "${text}"; use one of ${ACTIONS.join(', ')}`)
  );
};

const fields = object({
  source_labels: optional(list(string), []),
  separator: optional(string, ';'),
  regex: optional(string, '(.*)'),
  modulus: optional(integer, 0),
  target_label: optional(string, ''),
  replacement: optional(string, '$1'),
  action: optional(action, 'replace'),
});

/** How names are judged; `legacy` allows only `[a-zA-Z_][a-zA-Z0-9_]*`. */
export type NameValidation = 'utf8' | 'legacy';

export const nameValidation: Decoder<NameValidation> = oneOf('utf8', 'legacy');

/** A `relabel_configs` list; which fields an action needs and allows is checked as in Prometheus. */
export function relabelConfigs(
  validation: NameValidation = 'utf8',
): Decoder<readonly RelabelStep[]> {
  return list((node, path, context) => {
    if (node.kind === 'null') refuse(node, path, 'empty or null relabeling rule');
    const written = fields(node, path, context);
    const settings: RelabelSettings = {
      action: written.action,
      sourceLabels: written.source_labels,
      separator: written.separator,
      // A key without a value is an empty regex, not the default.
      regex: isWrittenEmpty(node, 'regex') ? '' : written.regex,
      modulus: written.modulus,
      targetLabel: written.target_label,
      replacement: isWrittenEmpty(node, 'replacement') ? '' : written.replacement,
    };
    const fault = isWrittenEmpty(node, 'action')
      ? 'relabel action cannot be empty'
      : faultOf(settings as Required<RelabelSettings>, validation);
    if (fault !== null) refuse(node, path, fault);
    try {
      return relabelStep(settings);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      return refuse(entryOf(node, 'regex') ?? node, `${path}.regex`, error.message);
    }
  });
}

function isWrittenEmpty(node: ConfigNode, key: string): boolean {
  if (node.kind !== 'map') return false;
  return node.entries.some((entry) => entry.key === key && entry.value.kind === 'null');
}

function faultOf(step: Required<RelabelSettings>, validation: NameValidation): string | null {
  const { action, targetLabel } = step;
  const needsTarget =
    action === 'replace' ||
    action === 'hashmod' ||
    action === 'lowercase' ||
    action === 'uppercase' ||
    action === 'keepequal' ||
    action === 'dropequal';
  if (action === 'hashmod' && !(step.modulus > 0))
    return 'relabel configuration for hashmod requires non-zero modulus';
  if (needsTarget && targetLabel === '')
    return `relabel configuration for ${action} action requires 'target_label' value`;
  const isPlainTarget = needsTarget && action !== 'replace';
  if (isPlainTarget && !isValidName(targetLabel, validation))
    return `"${targetLabel}" is invalid 'target_label' for ${action} action`;
  if (action === 'replace' && !isValidTemplate(targetLabel, validation))
    return `"${targetLabel}" is invalid 'target_label' for ${action} action`;
  if ((action === 'lowercase' || action === 'uppercase') && step.replacement !== '$1')
    return `'replacement' can not be set for ${action} action`;
  if (action === 'labelmap' && !isValidTemplate(step.replacement, validation))
    return `"${step.replacement}" is invalid 'replacement' for ${action} action`;
  if (action === 'keepequal' || action === 'dropequal') {
    if (
      step.regex !== '(.*)' ||
      step.modulus !== 0 ||
      step.separator !== ';' ||
      step.replacement !== '$1'
    )
      return `${action} action requires only 'source_labels' and 'target_label', and no other fields`;
  }
  if (action === 'labeldrop' || action === 'labelkeep') {
    const isClean =
      step.sourceLabels.length === 0 &&
      targetLabel === '' &&
      step.modulus === 0 &&
      step.separator === ';' &&
      step.replacement === '$1';
    if (!isClean) return `${action} action requires only 'regex', and no other fields`;
  }
  return null;
}

function isValidName(name: string, validation: NameValidation): boolean {
  if (validation === 'legacy') return isLegacyLabelName(name);
  // What is no UTF-8 in the file became U+FFFD when it was read.
  return name !== '' && !name.includes('\ufffd');
}

/** A name in which `$1` or `${name}` may stand. */
function isValidTemplate(template: string, validation: NameValidation): boolean {
  if (validation === 'utf8') return isValidName(template, validation);
  return /^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$/.test(template);
}
