/** What the API's successful answers have in common. */
export type Envelope = {
  readonly data: unknown;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
};

/** Null for what is no successful answer of the API. */
export function envelopeOf(body: Uint8Array): Envelope | null {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body));
  } catch {
    // Something else than a server answers there.
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  if (!('status' in value) || value.status !== 'success' || !('data' in value)) return null;
  const texts = (name: string): readonly string[] => {
    const found = (value as Readonly<Record<string, unknown>>)[name];
    return Array.isArray(found) ? found.filter((one) => typeof one === 'string') : [];
  };
  return { data: value.data, warnings: texts('warnings'), infos: texts('infos') };
}
