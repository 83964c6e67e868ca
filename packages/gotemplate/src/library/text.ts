/** Go's unicode.ToUpper for each character: no character becomes several (`ß` stays). */
export function toUpper(text: string): string {
  return mapCharacters(text, (character) => character.toUpperCase());
}

/** Go's unicode.ToLower for each character, without regard to its neighbours. */
export function toLower(text: string): string {
  return mapCharacters(text, (character) => (character === 'İ' ? 'i' : character.toLowerCase()));
}

function mapCharacters(text: string, convert: (character: string) => string): string {
  let out = '';
  for (const character of text) {
    const converted = convert(character);
    out += [...converted].length === 1 ? converted : character;
  }
  return out;
}

/** Go's strings.TrimSpace: Unicode's White_Space, which is not quite JavaScript's. */
export function trimSpace(text: string): string {
  return text.replace(/^\p{White_Space}+/u, '').replace(/\p{White_Space}+$/u, '');
}

/** Words as x/text's cases.Title sees them: letters, marks and digits, joined by a lone apostrophe, point, colon or the like. */
const WORD =
  /[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\p{Cf}]+(?:['’.:·․‧﹒＇．：](?=[\p{L}])[\p{L}\p{M}\p{Nd}\p{Pc}\p{Cf}]+|[.,;'](?=\p{Nd})(?<=\p{Nd}.)[\p{L}\p{M}\p{Nd}\p{Pc}\p{Cf}]+)*/gu;

/**
 * x/text's cases.Title for English: each word with its first letter in title case and the rest in lower case, or as it is
 * with `keepsRest`.
 */
export function titleWords(text: string, options: { readonly keepsRest?: boolean } = {}): string {
  return text.replace(WORD, (word) => {
    const first = /[\p{L}\p{Nl}]/u.exec(word);
    if (first === null) return word;
    const at = first.index;
    const end = at + first[0].length;
    const rest = word.slice(end);
    return (
      word.slice(0, at) + titleOf(first[0]) + (options.keepsRest === true ? rest : toLower(rest))
    );
  });
}

/** Ligatures and the sharp s become two letters, of which the first is large; digraphs have a form of their own. */
function titleOf(letter: string): string {
  const digraph = DIGRAPHS.find((forms) => forms.includes(letter));
  if (digraph !== undefined) return digraph.charAt(1);
  const [first = '', ...rest] = letter.toUpperCase();
  return first + rest.join('').toLowerCase();
}

const DIGRAPHS = ['Ǆǅǆ', 'Ǉǈǉ', 'Ǌǋǌ', 'Ǳǲǳ'] as const;
