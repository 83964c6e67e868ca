import { createHash } from 'node:crypto';
import { InputError } from '@pollux/base';
import type { RE2JS } from 're2js';
import { type Labels, LabelsBuilder } from '../labels/labels.ts';
import { compileRe2, Pattern } from '../pattern.ts';
import { lowerCase, upperCase } from './simple-case.ts';

export type RelabelAction =
  | 'replace'
  | 'keep'
  | 'drop'
  | 'keepequal'
  | 'dropequal'
  | 'hashmod'
  | 'labelmap'
  | 'labeldrop'
  | 'labelkeep'
  | 'lowercase'
  | 'uppercase';

/** One step, checked and compiled; `relabelStep` makes it. Defaults as Prometheus': separator `;`, regex `(.*)`, `$1`. */
export type RelabelStep = {
  readonly action: RelabelAction;
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  readonly regex: string;
  readonly modulus: number;
  readonly targetLabel: string;
  readonly replacement: string;
  readonly pattern: Pattern;
  /** Anchored, for the actions that expand groups. */
  readonly program: RE2JS;
};

export type RelabelSettings = Partial<Omit<RelabelStep, 'pattern' | 'program'>>;

/** Compiles a step. Throws PatternError on a bad regex, InputError on a modulus of 0; which fields an action allows is checked where YAML is read. */
export function relabelStep(settings: RelabelSettings): RelabelStep {
  const regex = settings.regex ?? '(.*)';
  const modulus = settings.modulus ?? 0;
  if (settings.action === 'hashmod' && !(Number.isSafeInteger(modulus) && modulus > 0)) {
    throw new InputError(
      'MODEL.BAD_RELABEL',
      '',
      'relabel configuration for hashmod requires non-zero modulus',
    );
  }
  return {
    action: settings.action ?? 'replace',
    sourceLabels: settings.sourceLabels ?? [],
    separator: settings.separator ?? ';',
    regex,
    modulus,
    targetLabel: settings.targetLabel ?? '',
    replacement: settings.replacement ?? '$1',
    pattern: new Pattern(regex),
    program: compileRe2(`^(?s:${regex})$`, regex),
  };
}

/** Applies the steps in order; null when one of them drops the series or target. */
export function relabel(labels: Labels, steps: readonly RelabelStep[]): Labels | null {
  if (steps.length === 0) return labels;
  const builder = new LabelsBuilder(labels);
  for (const step of steps) if (!applyStep(builder, step)) return null;
  return builder.build();
}

function applyStep(labels: LabelsBuilder, step: RelabelStep): boolean {
  const value = step.sourceLabels.map((name) => labels.get(name)).join(step.separator);
  switch (step.action) {
    case 'keep':
      return step.pattern.matches(value);
    case 'drop':
      return !step.pattern.matches(value);
    case 'keepequal':
      return labels.get(step.targetLabel) === value;
    case 'dropequal':
      return labels.get(step.targetLabel) !== value;
    case 'replace':
      replace(labels, step, value);
      return true;
    case 'lowercase':
      labels.set(step.targetLabel, lowerCase(value));
      return true;
    case 'uppercase':
      labels.set(step.targetLabel, upperCase(value));
      return true;
    case 'hashmod':
      labels.set(step.targetLabel, String(hashModulus(value, step.modulus)));
      return true;
    case 'labelmap':
      labelMap(labels, step);
      return true;
    case 'labeldrop':
      for (const name of labels.names()) if (step.pattern.matches(name)) labels.delete(name);
      return true;
    case 'labelkeep':
      for (const name of labels.names()) if (!step.pattern.matches(name)) labels.delete(name);
      return true;
  }
}

/** Copies under new names; a label that is itself overwritten on the way still gives its old value. */
function labelMap(labels: LabelsBuilder, step: RelabelStep): void {
  const mapped: [name: string, value: string][] = [];
  for (const name of labels.names()) {
    const target = expand(step, name, step.replacement);
    // A name that expands to nothing is no label name.
    if (target !== null && target !== '') mapped.push([target, labels.get(name)]);
  }
  for (const [name, value] of mapped) labels.set(name, value);
}

function replace(labels: LabelsBuilder, step: RelabelStep, value: string): void {
  const target = expand(step, value, step.targetLabel);
  if (target === null) return;
  // Under the UTF-8 scheme any non-empty name is valid; a template that expands to nothing is a no-op.
  if (target === '') return;
  labels.set(target, expand(step, value, step.replacement) ?? '');
}

/** The template with `$1`, `${1}` and `${name}` filled from the match; null when the regex does not match. */
function expand(step: RelabelStep, text: string, template: string): string | null {
  if (!template.includes('$')) return step.pattern.matches(text) ? template : null;
  const matcher = step.program.matcher(text);
  if (!matcher.find()) return null;
  return expandTemplate(template, (name) => {
    // Go: no leading zeros, else it is the name of a group.
    if (/^(?:0|[1-9]\d*)$/.test(name)) {
      const index = Number(name);
      return index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '';
    }
    return Object.hasOwn(step.program.namedGroups(), name) ? (matcher.group(name) ?? '') : '';
  });
}

/** Go's regexp.Expand: `$name` takes the longest run of letters, digits and `_`; `$$` is a dollar, any other `$` stays. */
export function expandTemplate(template: string, group: (name: string) => string): string {
  return template.replace(
    /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
    (whole, braced?: string, bare?: string) => (whole === '$$' ? '$' : group(braced ?? bare ?? '')),
  );
}

/** The last eight bytes of the MD5 as a big-endian number, modulo `modulus`. */
function hashModulus(value: string, modulus: number): number {
  const digest = createHash('md5').update(value).digest();
  return Number(digest.readBigUInt64BE(8) % BigInt(modulus));
}
