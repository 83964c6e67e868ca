import type { CommandNode, PipeNode } from '../ast.ts';

/** The escapers; templates call them by Go's names, which errors show, behind the prefix. */
export type EscaperName =
  | 'attrescaper'
  | 'commentescaper'
  | 'cssescaper'
  | 'cssvaluefilter'
  | 'htmlnamefilter'
  | 'htmlescaper'
  | 'jsregexpescaper'
  | 'jsstrescaper'
  | 'jstmpllitescaper'
  | 'jsvalescaper'
  | 'nospaceescaper'
  | 'rcdataescaper'
  | 'srcsetescaper'
  | 'urlescaper'
  | 'urlfilter'
  | 'urlnormalizer';

export const ESCAPER_PREFIX = '_html_template_';
/** Joins the arguments of `{{ html a b }}` so that an escaper can take the place of `html`. */
export const EVALUATE_ARGUMENTS = '_eval_args_';

/** What the predefined escapers do, these do too. */
const SAME_AS: Readonly<Record<string, string>> = {
  [`${ESCAPER_PREFIX}attrescaper`]: 'html',
  [`${ESCAPER_PREFIX}htmlescaper`]: 'html',
  [`${ESCAPER_PREFIX}rcdataescaper`]: 'html',
  [`${ESCAPER_PREFIX}urlescaper`]: 'urlquery',
  [`${ESCAPER_PREFIX}urlnormalizer`]: 'urlquery',
};

/** Behind these nothing is left for the second to do. */
const MAKES_NEEDLESS: Readonly<Record<string, readonly EscaperName[]>> = {
  [`${ESCAPER_PREFIX}commentescaper`]: ['attrescaper', 'htmlescaper'],
  [`${ESCAPER_PREFIX}cssescaper`]: ['attrescaper'],
  [`${ESCAPER_PREFIX}jsregexpescaper`]: ['attrescaper'],
  [`${ESCAPER_PREFIX}jsstrescaper`]: ['attrescaper'],
  [`${ESCAPER_PREFIX}jstmpllitescaper`]: ['attrescaper'],
  [`${ESCAPER_PREFIX}urlescaper`]: ['attrescaper'],
};

/** The pipeline with the escapers behind it; a predefined escaper at its end is not applied twice. */
export function escapedPipe(pipe: PipeNode, escapers: readonly EscaperName[]): PipeNode {
  if (escapers.length === 0) return pipe;
  const wanted = escapers.map((name) => `${ESCAPER_PREFIX}${name}`);
  const given = [...pipe.commands];
  const last = nameOf(given.at(-1));
  if (last === 'html' || last === 'urlquery') {
    const [only] = given;
    if (given.length === 1 && only !== undefined && only.args.length > 1) {
      const [, ...args] = only.args;
      given.splice(0, 1, { ...only, args: [identifier(EVALUATE_ARGUMENTS, pipe), ...args] });
      given.push(command(last, pipe));
    }
    const at = wanted.findIndex((name) => SAME_AS[name] === last);
    if (at >= 0) {
      for (const [index, name] of wanted.entries())
        if (SAME_AS[name] === last) wanted[index] = last;
      given.pop();
    }
  }
  const kept = new Set(given.map((part) => meaning(nameOf(part) ?? '')));
  for (const name of wanted) {
    if (kept.has(meaning(name))) continue;
    const before = MAKES_NEEDLESS[nameOf(given.at(-1)) ?? ''] ?? [];
    if (before.some((needless) => `${ESCAPER_PREFIX}${needless}` === name)) continue;
    given.push(command(name, pipe));
  }
  return { ...pipe, commands: given };
}

function meaning(name: string): string {
  return SAME_AS[name] ?? name;
}

function nameOf(part: CommandNode | undefined): string | null {
  const first = part?.args[0];
  return first?.kind === 'identifier' ? first.name : null;
}

function identifier(name: string, { offset }: PipeNode) {
  return { kind: 'identifier', offset, name } as const;
}

function command(name: string, pipe: PipeNode): CommandNode {
  return { kind: 'command', offset: pipe.offset, args: [identifier(name, pipe)] };
}
