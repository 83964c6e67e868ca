import { InputError } from '@pollux/base';

class AddressError extends InputError {
  constructor(message: string) {
    super('ALERTMANAGER.BAD_ADDRESS', '', `mail: ${message}`);
  }
}

const MAX_ADDRESSES = 1_000;

/** The bare addresses of `a@b, "Name, X" <c@d>` (RFC 5322, without groups and comments). */
export function addressList(text: string): readonly string[] {
  if (/[\r\n\0]/.test(text)) throw new AddressError('a line end in an address');
  const parts = splitAtCommas(text);
  if (parts.length > MAX_ADDRESSES) throw new AddressError(`more than ${MAX_ADDRESSES} addresses`);
  const addresses = parts.filter((part) => part !== '').map(bareAddress);
  if (addresses.length === 0) throw new AddressError('no address');
  return addresses;
}

function splitAtCommas(text: string): string[] {
  const parts: string[] = [];
  let current = '';
  let isQuoted = false;
  let isAngled = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (isQuoted && char === '\\') {
      current += char + text.charAt(++at);
      continue;
    }
    if (char === '"') isQuoted = !isQuoted;
    else if (!isQuoted && (char === '<' || char === '>')) isAngled = char === '<';
    if (char === ',' && !isQuoted && !isAngled) {
      parts.push(current.trim());
      current = '';
    } else {
      current += char;
    }
  }
  if (isQuoted) throw new AddressError('unclosed quoted-string');
  parts.push(current.trim());
  return parts;
}

function bareAddress(part: string): string {
  const angled = /<([^<>]*)>$/.exec(part);
  const address = (angled?.[1] ?? part).trim();
  const isPlain = /^(?:[^\s<>()[\]\\,;:@"]+|"(?:[^"\\\r\n]|\\[^\r\n])*")@[^\s<>(),;:\\"@]+$/;
  if (!isPlain.test(address)) throw new AddressError(`missing '@' or angle-addr in "${part}"`);
  return address;
}
