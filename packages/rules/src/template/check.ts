import { OperatingError } from '@pollux/base';
import { parseTemplate } from '@pollux/gotemplate';
import { templateFunctionNames } from './functions.ts';
import { TEMPLATE_PRELUDE } from './prelude.ts';

/** Why a label or annotation is no template, or null when it is one. */
export function checkTemplate(text: string): string | null {
  if (!text.includes('{{')) return null;
  try {
    parseTemplate('__alert_check', TEMPLATE_PRELUDE + text, { functions: templateFunctionNames() });
    return null;
  } catch (error) {
    if (OperatingError.is(error)) return error.message;
    throw error;
  }
}
