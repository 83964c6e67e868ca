import { OperatingError } from '@pollux/base';
import {
  type Decoder,
  list,
  nonNegativeInteger,
  object,
  oneOf,
  optional,
  refuse,
  string,
} from '@pollux/config';
import { isLegacyLabelName, type RelabelStep, relabelStep } from '@pollux/model';

const fields = object({
  source_labels: optional(list(string), []),
  separator: optional(string, ';'),
  regex: optional(string, '(.*)'),
  modulus: optional(nonNegativeInteger, 0),
  target_label: optional(string, ''),
  replacement: optional(string, '$1'),
  action: optional(
    oneOf(
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
    ),
    'replace',
  ),
});

/** One step of `write_relabel_configs:`, with Prometheus' rules on which fields an action takes. */
const step: Decoder<RelabelStep> = (node, path, context) => {
  const config = fields(lowerCaseAction(node), path, context);
  const { action } = config;
  const needsTarget = ['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal'];
  if (needsTarget.includes(action) && config.target_label === '') {
    refuse(node, path, `relabel configuration for ${action} action requires 'target_label' value`);
  }
  if (action === 'hashmod' && config.modulus === 0) {
    refuse(node, path, 'relabel configuration for hashmod requires non-zero modulus');
  }
  if (['lowercase', 'uppercase'].includes(action) && config.replacement !== '$1') {
    refuse(node, path, `'replacement' can not be set for ${action} action`);
  }
  if (action === 'hashmod' && !isLegacyLabelName(config.target_label)) {
    refuse(node, path, `"${config.target_label}" is invalid 'target_label' for ${action} action`);
  }
  const set = (name: string): boolean =>
    node.kind === 'map' && node.entries.some((entry) => entry.key === name);
  const only: Readonly<Record<string, readonly string[]>> = {
    labeldrop: ['regex', 'action'],
    labelkeep: ['regex', 'action'],
    keepequal: ['source_labels', 'target_label', 'action'],
    dropequal: ['source_labels', 'target_label', 'action'],
  };
  const allowed = only[action];
  if (allowed !== undefined) {
    const extra = ['source_labels', 'separator', 'regex', 'modulus', 'target_label', 'replacement'];
    if (extra.some((name) => !allowed.includes(name) && set(name))) {
      const which = allowed.filter((name) => name !== 'action').map((name) => `'${name}'`);
      refuse(node, path, `${action} action requires only ${which.join(' and ')}`);
    }
  }
  try {
    return relabelStep({
      action,
      sourceLabels: config.source_labels,
      separator: config.separator,
      regex: config.regex,
      modulus: config.modulus,
      targetLabel: config.target_label,
      replacement: config.replacement,
    });
  } catch (error) {
    if (OperatingError.is(error)) refuse(node, path, error.message);
    throw error;
  }
};

export const relabelSteps: Decoder<readonly RelabelStep[]> = list(step);

/** Prometheus takes the action in any case. */
function lowerCaseAction(node: Parameters<Decoder<unknown>>[0]): Parameters<Decoder<unknown>>[0] {
  if (node.kind !== 'map') return node;
  return {
    ...node,
    entries: node.entries.map((entry) =>
      entry.key === 'action' && entry.value.kind === 'scalar'
        ? { ...entry, value: { ...entry.value, text: entry.value.text.toLowerCase() } }
        : entry,
    ),
  };
}
