import type { RE2JS } from 're2js';
import { expandTemplate } from './relabel/relabel.ts';

/**
 * Go's regexp.ReplaceAllString: `$1` and `${name}` of the template stand for groups; an empty match right behind another
 * match is none.
 */
export function replaceAllRe2(program: RE2JS, text: string, template: string): string {
  const matcher = program.matcher(text);
  const names = program.namedGroups();
  const group = (name: string): string => {
    if (/^(?:0|[1-9]\d*)$/.test(name)) {
      const index = Number(name);
      return index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '';
    }
    return Object.hasOwn(names, name) ? (matcher.group(name) ?? '') : '';
  };
  let out = '';
  let lastEnd = 0;
  while (matcher.find()) {
    out += text.slice(lastEnd, matcher.start());
    if (matcher.end() > lastEnd || matcher.start() === 0) out += expandTemplate(template, group);
    lastEnd = matcher.end();
  }
  return out + text.slice(lastEnd);
}
