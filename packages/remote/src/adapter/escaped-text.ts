const encoder = new TextEncoder();

/**
 * For a part of a path in Graphite. What its render language has a use for is escaped with a backslash, and what is none of its
 * characters, or divides paths and files, is written as the hexadecimal bytes of its UTF-8.
 */
export function graphiteText(text: string): string {
  return text.replace(/[^\w!#$&*+:;<>?@[\]^`|~-]/gu, (char) =>
    /[(){},'"\\]/.test(char) ? `\\${char}` : hexBytes('%', char),
  );
}

/** For metrics and values of tags in OpenTSDB, which knows letters, digits and a few signs; `_` is the escape, and itself twice. */
export function opentsdbText(text: string): string {
  return text.replace(/[^A-Za-z0-9./-]/gu, (char) => {
    if (char === '_') return '__';
    return char === ':' ? '_.' : hexBytes('_', char);
  });
}

/** Two digits each, so that what follows is not taken for a third. */
function hexBytes(mark: string, char: string): string {
  const bytes = Array.from(encoder.encode(char), (byte) => byte.toString(16).padStart(2, '0'));
  return bytes.map((byte) => mark + byte.toUpperCase()).join('');
}
