import { type Files, systemCode } from '@pollux/base';

const FILE_NAME = '.influx_history';
/** `password 'x'`, `password for "u" = 'x'`: what follows is not kept. */
const SECRETS = /(\bpassword\b(?:\s+for\s+(?:"(?:[^"\\]|\\.)*"|\S+)\s*=)?\s*)'(?:[^'\\]|\\.)*'/gi;

/** Lines of earlier sessions, oldest first. */
export function readHistory(files: Files, home: string): readonly string[] {
  const path = `${home}/${FILE_NAME}`;
  if (home === '' || !files.exists(path)) return [];
  return new TextDecoder()
    .decode(files.readFile(path))
    .split('\n')
    .filter((line) => line !== '');
}

/** Keeps the lines for the next session, without passwords. Gives why it could not, or null. */
export function writeHistory(files: Files, home: string, lines: readonly string[]): string | null {
  if (home === '') return null;
  const kept = lines
    .filter((line) => !/^\s*auth\b/i.test(line))
    .map((line) => `${line.replace(SECRETS, '$1[REDACTED]')}\n`);
  try {
    files.replaceFile(`${home}/${FILE_NAME}`, kept.join(''));
    return null;
  } catch (error) {
    return `the history could not be written (${systemCode(error) || 'error'})`;
  }
}
