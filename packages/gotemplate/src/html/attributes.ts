/** What a value of an attribute is: `unsafe` ones a template may not name. */
export type AttributeKind = 'plain' | 'url' | 'style' | 'script' | 'srcset' | 'html' | 'unsafe';

const BY_KIND: Readonly<Record<string, string>> = {
  url: 'action archive background cite classid codebase data formaction href icon longdesc manifest poster profile src usemap xmlns',
  style: 'style',
  srcset: 'srcset',
  html: 'srcdoc',
  unsafe:
    'accept-charset async challenge charset content crossorigin defer enctype form formenctype formmethod formnovalidate ' +
    'http-equiv keytype language method novalidate pattern rel sandbox type value',
  // Named here because the guesses below would take it for a URL.
  plain: 'srclang',
};

/** The kind of an attribute by its name in lower case; unknown names are judged by what they look like. */
export function attributeKind(written: string): AttributeKind {
  const colon = written.indexOf(':');
  let name = written;
  if (written.startsWith('data-')) name = written.slice(5);
  else if (colon >= 0) {
    if (written.slice(0, colon) === 'xmlns') return 'url';
    name = written.slice(colon + 1);
  }
  for (const [kind, names] of Object.entries(BY_KIND)) {
    if (` ${names} `.includes(` ${name} `) && name !== '') return kind as AttributeKind;
  }
  if (name.startsWith('on')) return 'script';
  return /src|uri|url/.test(name) ? 'url' : 'plain';
}

const SCRIPT_TYPES: ReadonlySet<string> = new Set([
  'application/ecmascript',
  'application/javascript',
  'application/json',
  'application/ld+json',
  'application/x-ecmascript',
  'application/x-javascript',
  'module',
  'text/ecmascript',
  'text/javascript',
  ...[0, 1, 2, 3, 4, 5].map((minor) => `text/javascript1.${minor}`),
  'text/jscript',
  'text/livescript',
  'text/x-ecmascript',
  'text/x-javascript',
]);

/** Whether a script element of that type holds JavaScript or JSON. */
export function isScriptType(type: string): boolean {
  return SCRIPT_TYPES.has((type.split(';')[0] ?? '').toLowerCase().trim());
}
