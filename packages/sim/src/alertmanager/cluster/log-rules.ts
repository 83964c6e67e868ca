/** What was last told for one group at one receiver, as a log that forgets nothing would have it. */
export type Told = {
  readonly firing: ReadonlySet<string>;
  readonly resolved: ReadonlySet<string>;
  readonly atMs: number;
};

/**
 * Whether a message is called for after what was told, by the rules of the original's notification log. Written anew from
 * their description, so that an error in the code under test is not repeated here.
 */
export function isCalledFor(
  told: Told | null,
  message: {
    readonly firing: readonly string[];
    readonly resolved: readonly string[];
    readonly atMs: number;
  },
  options: { readonly repeatIntervalMs: number },
): boolean {
  if (told === null) return message.firing.length > 0;
  if (message.firing.some((alert) => !told.firing.has(alert))) return true;
  if (message.firing.length === 0) return told.firing.size > 0;
  if (message.resolved.some((alert) => !told.resolved.has(alert))) return true;
  return message.atMs - told.atMs > options.repeatIntervalMs;
}
