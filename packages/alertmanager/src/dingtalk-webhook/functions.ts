import type { Clock } from '@pollux/base';
import { type Functions, quote, toLower, toUpper } from '@pollux/gotemplate';
import { templateFunctions } from '../template/functions.ts';

/**
 * Functions of prometheus-webhook-dingtalk: its own three, those of notification templates, and of the Sprig library what
 * templates of alerts use. A template that calls another function is refused when it is loaded.
 */
export function webhookFunctions(clock: Clock): Functions {
  return { ...templateFunctions(clock), ...SPRIG, markdown: MARKDOWN };
}

const MARKDOWN: Functions[string] = {
  params: ['string'],
  call: ([text]) => String(text).replace(/[_*`]/g, '\\$&'),
};

const SPRIG: Functions = {
  upper: { params: ['string'], call: ([text]) => toUpper(String(text)) },
  lower: { params: ['string'], call: ([text]) => toLower(String(text)) },
  trim: { params: ['string'], call: ([text]) => String(text).trim() },
  quote: { params: ['string'], call: ([text]) => quote(String(text)) },
  trimPrefix: {
    params: ['string', 'string'],
    call: ([prefix, text]) => {
      const [start, whole] = [String(prefix), String(text)];
      return whole.startsWith(start) ? whole.slice(start.length) : whole;
    },
  },
  trimSuffix: {
    params: ['string', 'string'],
    call: ([suffix, text]) => {
      const [end, whole] = [String(suffix), String(text)];
      return whole.endsWith(end) ? whole.slice(0, whole.length - end.length) : whole;
    },
  },
  replace: {
    params: ['string', 'string', 'string'],
    call: ([old, fresh, text]) => String(text).replaceAll(String(old), () => String(fresh)),
  },
  contains: {
    params: ['string', 'string'],
    call: ([part, text]) => String(text).includes(String(part)),
  },
  hasPrefix: {
    params: ['string', 'string'],
    call: ([part, text]) => String(text).startsWith(String(part)),
  },
  hasSuffix: {
    params: ['string', 'string'],
    call: ([part, text]) => String(text).endsWith(String(part)),
  },
  default: {
    params: ['string', 'string'],
    call: ([fallback, text]) => (String(text) === '' ? String(fallback) : String(text)),
  },
};
