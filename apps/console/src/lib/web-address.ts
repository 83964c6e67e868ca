/** The address when a browser may be sent there; null for `javascript:` and all else but http and https. */
export function webAddress(text: string | undefined): string | null {
  if (text === undefined || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  return new URL(text).href;
}
