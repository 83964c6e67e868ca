import { errorText, type Files, InputError, systemCode } from '@pollux/base';

/** The text of a file that a flag named; an unreadable one is an error that says which and why. */
export function readTextFile(files: Files, path: string): string {
  try {
    return new TextDecoder().decode(files.readFile(path));
  } catch (error) {
    const why = systemCode(error) === 'ENOENT' ? 'no such file' : errorText(error);
    throw new InputError('ROLES.UNREADABLE_FILE', path, why, { cause: error });
  }
}
