import { OperatingError } from '@pollux/base';
import { GoStruct, parseTemplate, TemplateSet, type Value } from '@pollux/gotemplate';
import type { FloatHistogram, Labels } from '@pollux/model';
import type { EvaluationInput } from '../evaluation.ts';
import { templateFunctionNames, templateFunctions } from './functions.ts';
import { TEMPLATE_PRELUDE } from './prelude.ts';
import { elementValue, labelsValue } from './values.ts';

/** One element of the expression's result, for which texts are expanded. */
export type TemplateElement = {
  readonly labels: Labels;
  readonly value: number;
  readonly histogram: FloatHistogram | null;
};

type Source = {
  readonly name: string;
  readonly text: string;
  /** Null for a text without actions. */
  readonly parsed: TemplateSet | null;
};

/** The label or annotation templates of one rule, parsed once. */
export class AlertTemplates {
  readonly #name: string;
  readonly #sources: readonly Source[];

  /** The texts were checked with the rule file. */
  constructor(ruleName: string, texts: Readonly<Record<string, string>>) {
    this.#name = `__alert_${ruleName}`;
    this.#sources = Object.entries(texts).map(([name, text]) => ({
      name,
      text,
      parsed: text.includes('{{') ? this.#parse(text) : null,
    }));
  }

  /**
   * A function that expands all texts for an element of this evaluation. A text that fails becomes
   * `<error expanding template: …>`, so that a mistake in a template never silences an alert.
   */
  bind(
    input: EvaluationInput,
  ): (element: TemplateElement) => Promise<[name: string, value: string][]> {
    const functions = templateFunctions({
      query: (expression) => input.query.instant(expression, input.atMs, input.signal),
      nowMs: input.atMs,
      externalUrl: input.externalUrl,
    });
    const bound = this.#sources.map(({ name, text, parsed }) => ({
      name,
      text,
      set:
        parsed === null ? null : new TemplateSet({ functions, missingKey: 'zero' }, parsed.trees()),
    }));
    return async (element) => {
      const expanded: [string, string][] = [];
      for (const { name, text, set } of bound) {
        if (set === null) expanded.push([name, text]);
        else expanded.push([name, await this.#expand(set, element, input)]);
      }
      return expanded;
    };
  }

  async #expand(
    set: TemplateSet,
    element: TemplateElement,
    input: EvaluationInput,
  ): Promise<string> {
    try {
      const text = await set.executeWaiting(this.#name, dataOf(element, input), input.signal);
      input.onExpansion(null);
      return text;
    } catch (error) {
      if (!OperatingError.is(error) || input.signal.aborted) throw error;
      const fault = `error executing template ${this.#name}: ${error.message}`;
      input.onExpansion(fault);
      return `<error expanding template: ${fault}>`;
    }
  }

  #parse(text: string): TemplateSet {
    return parseTemplate(this.#name, TEMPLATE_PRELUDE + text, {
      functions: templateFunctionNames(),
    });
  }
}

/** As errors of templates name it. */
const DATA_TYPE =
  'struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }';

function dataOf(element: TemplateElement, input: EvaluationInput): Value {
  return new GoStruct(
    { name: DATA_TYPE },
    {
      Labels: labelsValue(element.labels),
      ExternalLabels: labelsValue(input.externalLabels),
      ExternalURL: input.externalUrl,
      Value: elementValue(element.value, element.histogram),
    },
  );
}
