import { webAddress } from '../lib/web-address.ts';

/** A text that others gave; a link where it is an address of the web, and else nothing but text. */
export function LinkedText({ text }: { readonly text: string }) {
  const address = webAddress(text);
  if (address === null) return text;
  return (
    <a href={address} rel="noreferrer">
      {text}
    </a>
  );
}
