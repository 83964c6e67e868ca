/** What a member's own log says of a group, as `performance.now()` of the judging process. */
export type Evidence = {
  readonly atMs: number;
  readonly member: string;
  /** It began to send a notification, delivered one, or heard from another member that one was delivered. */
  readonly what: 'sending' | 'delivered' | 'heard';
  readonly group: string;
};

const WORDS: readonly (readonly [string, Evidence['what']])[] = [
  ['Notify success', 'delivered'],
  ['gossiping new entry', 'heard'],
  ['msg=sending', 'sending'],
];

/** Lines at the level for debugging, of ours and of the original alike: both use the same words. The original does not tell when it begins to send. */
export function evidenceOf(member: string, lines: readonly string[], originMs: number): Evidence[] {
  return lines.flatMap((line) => {
    const what = WORDS.find(([words]) => line.includes(words))?.[1];
    const time = /\b(?:time|ts)=(\S+)/.exec(line)?.[1];
    const group = /id=\\*"([^"\\]+)\\*"/.exec(line)?.[1];
    if (what === undefined || time === undefined || group === undefined) return [];
    return [{ atMs: Date.parse(time) - originMs, member, what, group }];
  });
}
