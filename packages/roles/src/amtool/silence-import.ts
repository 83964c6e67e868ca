import { errorText, OperatingError } from '@pollux/base';
import { type Subcommand, UsageError } from '../command/command-line.ts';
import { jsonFault } from '../command/go-text.ts';
import { readTextFile } from '../runtime/read-file.ts';
import { ApiRefusal } from './api.ts';
import type { Around } from './around.ts';
import { POST_SILENCE, refused } from './silence.ts';

const MAX_INPUT_BYTES = 256 * 1024 * 1024;
const MAX_WORKERS = 256;

type Silence = Readonly<Record<string, unknown>>;

/** Takes what `silence query -o json` gives. A silence whose id the server does not know is made anew. */
export const silenceImport: Subcommand<Around> = {
  words: ['silence', 'import'],
  help: 'Import alertmanager silences from a JSON file or standard input.',
  flags: {
    force: { kind: 'switch', short: 'f', help: 'Add new silences even where they exist.' },
    worker: { kind: 'text', short: 'w', fallback: '8', help: 'Silences that are sent at once.' },
  },
  args: ['input-file?'],
  run: async (call, { context, api }) => {
    const { env, stdin, stdout, stderr } = context;
    const workers = workersOf(call.text('worker'));
    const [file] = call.args;
    if (file !== undefined && !env.files.exists(file))
      throw new UsageError(`path '${file}' does not exist`);
    const text =
      file === undefined
        ? new TextDecoder().decode(await stdin.bytes(MAX_INPUT_BYTES))
        : readTextFile(env.files, file);
    const silences = silencesOf(text);
    const post = (body: Silence): Promise<unknown> =>
      api(call, POST_SILENCE, { path: '/silences', body });
    let next = 0;
    let failed = 0;
    const work = async (): Promise<void> => {
      for (let silence = silences[next++]; silence !== undefined; silence = silences[next++]) {
        const id = idOf(silence);
        try {
          const asNew = call.isOn('force') || id === '';
          stdout.write(`${await add(post, asNew ? without(silence) : silence)}\n`);
        } catch (error) {
          if (!OperatingError.is(error)) throw error;
          failed++;
          stderr.write(
            `Error adding silence id='${call.isOn('force') ? '' : id}': ${errorText(error)}\n`,
          );
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(workers, silences.length) }, work));
    if (failed > 0) throw refused(`couldn't import ${failed} out of ${silences.length} silences`);
    return 0;
  },
};

async function add(post: (body: Silence) => Promise<unknown>, silence: Silence): Promise<string> {
  const answer = await post(silence).catch((error: unknown) => {
    if (error instanceof ApiRefusal && error.status === 404) return post(without(silence));
    throw error;
  });
  return (answer as { readonly silenceID: string }).silenceID;
}

function silencesOf(text: string): readonly Silence[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refused(`couldn't unmarshal input data, is it JSON?: ${jsonFault(text, error)}`);
  }
  const list = Array.isArray(value) ? (value as readonly unknown[]) : [];
  return list.map((item) => {
    if (typeof item === 'object' && item !== null && !Array.isArray(item)) return posted(item);
    throw refused("couldn't unmarshal input data, is it JSON?: an item is no object");
  });
}

/** What the API takes of a silence; state and time of the last change are its own. */
function posted(silence: object): Silence {
  const { status: _status, updatedAt: _updatedAt, ...rest } = silence as Record<string, unknown>;
  return rest;
}

function idOf({ id }: Silence): string {
  return typeof id === 'string' ? id : '';
}

function without({ id: _id, ...rest }: Silence): Silence {
  return rest;
}

function workersOf(text: string): number {
  if (!/^\d+$/.test(text))
    throw new UsageError(`strconv.ParseFloat: parsing "${text}": invalid syntax`);
  return Math.min(Math.max(Number(text), 1), MAX_WORKERS);
}
