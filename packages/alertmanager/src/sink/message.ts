export type SinkMessage = {
  /** Wall clock, ms. */
  readonly receivedAt: number;
  readonly accessToken: string;
  readonly body: Readonly<Record<string, unknown>>;
};

/** Title and text of the message kinds that robots send here, or null for another or a malformed one. */
export function contentOf(message: Readonly<Record<string, unknown>>): string | null {
  const kind = message.msgtype;
  if (kind !== 'text' && kind !== 'markdown' && kind !== 'actionCard') return null;
  const part = Object.hasOwn(message, kind) ? message[kind] : null;
  if (typeof part !== 'object' || part === null) return null;
  const fields = part as Readonly<Record<string, unknown>>;
  const texts = kind === 'text' ? [fields.content] : [fields.title, fields.text];
  if (texts.some((item) => typeof item !== 'string' || item === '')) return null;
  return texts.join('\n');
}
