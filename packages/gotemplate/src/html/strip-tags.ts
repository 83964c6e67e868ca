import { type Context, inTag, START } from './context.ts';
import { scan } from './scan.ts';

const IN_TAG = /^(?:Tag|AttrName|AfterName|BeforeValue|Attr)$/;

/** The text of a piece of HTML without its tags and comments. */
export function stripTags(html: string): string {
  let context: Context = START;
  let out = '';
  let hasTags = false;
  let rest = html;
  while (rest !== '') {
    if (context.delimiter !== 'None') {
      const end = rest.search(
        context.delimiter === 'DoubleQuote'
          ? /"/
          : context.delimiter === 'SingleQuote'
            ? /'/
            : /[ \t\n\f\r>]/,
      );
      if (end < 0) break;
      rest = rest.slice(context.delimiter === 'SpaceOrTagEnd' ? end : end + 1);
      context = inTag(context);
      continue;
    }
    const isContent = context.element !== 'None' && !IN_TAG.test(context.state);
    const [next, length] = scan(isContent ? { ...context, state: 'RCDATA' } : context, rest);
    const isText = context.state === 'Text' || context.state === 'RCDATA';
    if (isText) {
      const part = rest.slice(0, length);
      const tag = next.state === context.state ? -1 : part.lastIndexOf('<');
      out += tag < 0 ? part : part.slice(0, tag);
    } else hasTags = true;
    context = next;
    rest = rest.slice(length);
  }
  if (!hasTags) return html;
  return context.state === 'Text' || context.state === 'RCDATA' ? out + rest : out;
}
