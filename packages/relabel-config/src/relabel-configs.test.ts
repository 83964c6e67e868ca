import { parseYaml, strictContext } from '@pollux/config';
import { describe, expect, it } from 'vitest';
import { type NameValidation, relabelConfigs } from './index.ts';

function read(step: string, validation: NameValidation = 'utf8') {
  return relabelConfigs(validation)(parseYaml(`- ${step}`, 'p.yml'), 'steps', strictContext());
}

describe('relabelling steps', () => {
  it.each([
    '{source_labels: [a, b], target_label: c}',
    '{action: Drop, source_labels: [__name__], regex: x}',
    '{action: hashmod, source_labels: [a], target_label: __tmp, modulus: 8}',
    '{action: labelmap, regex: "__meta_(.+)", replacement: "k8s_$1"}',
    '{action: labeldrop, regex: "tmp_.*"}',
    '{action: keepequal, source_labels: [a], target_label: b}',
    '{action: UPPERCASE, source_labels: [a], target_label: b}',
    '{target_label: "ünusual name"}',
  ])('are read: %s', (step) => {
    expect(read(step)).toHaveLength(1);
  });

  it.each([
    [
      '{action: replace}',
      "p.yml:1:3: steps[0]: relabel configuration for replace action requires 'target_label' value",
    ],
    [
      '{action: explode}',
      'steps[0].action: unknown relabel action "explode"; use one of replace, keep,',
    ],
    ['{action: }', 'relabel action cannot be empty'],
    [
      '{action: hashmod, target_label: x}',
      'relabel configuration for hashmod requires non-zero modulus',
    ],
    [
      '{action: lowercase, target_label: x, replacement: y}',
      "'replacement' can not be set for lowercase action",
    ],
    [
      '{action: labeldrop, source_labels: [x]}',
      "labeldrop action requires only 'regex', and no other fields",
    ],
    [
      '{action: dropequal, target_label: x, regex: y}',
      "dropequal action requires only 'source_labels' and 'target_label', and no other fields",
    ],
    ['{action: drop, regex: "("}', 'steps[0].regex: '],
    ['', 'empty or null relabeling rule'],
  ])('are refused with their place and reason: %s', (step, message) => {
    expect(() => read(step)).toThrow(message);
  });

  it('may name labels in UTF-8 unless names are legacy', () => {
    const step = '{action: lowercase, source_labels: [a], target_label: "ünusual"}';
    expect(read(step)).toHaveLength(1);
    expect(() => read(step, 'legacy')).toThrow(
      `"ünusual" is invalid 'target_label' for lowercase action`,
    );
  });
});
