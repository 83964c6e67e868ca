import { quote } from './format/quote.ts';

export type TokenKind =
  | 'text'
  | 'leftDelimiter'
  | 'rightDelimiter'
  | 'space'
  | 'identifier'
  | 'keyword'
  | 'field'
  | 'variable'
  | 'dot'
  | 'nil'
  | 'bool'
  | 'string'
  | 'rawString'
  | 'character'
  | 'number'
  | 'pipe'
  | 'leftParenthesis'
  | 'rightParenthesis'
  | 'assign'
  | 'declare'
  | 'symbol'
  | 'end'
  | 'error';

/** `offset` and `line` (from 1) are where the token starts; offset counts UTF-16 units of the source. */
export type Token = {
  readonly kind: TokenKind;
  readonly text: string;
  readonly offset: number;
  readonly line: number;
};

/** The token as Go's parser shows it in its messages. */
export function showToken(token: Token): string {
  if (token.kind === 'end') return 'EOF';
  if (token.kind === 'error') return token.text;
  if (token.kind === 'keyword' || token.kind === 'dot' || token.kind === 'nil')
    return `<${token.text}>`;
  const characters = [...token.text];
  if (characters.length > 10) return `${quote(characters.slice(0, 10).join(''))}...`;
  return quote(token.text);
}
