import { type Files, InputError } from '@pollux/base';

const FILE = 'pollux-format.json';
const VERSION = 1;

/**
 * Makes the data directory and marks it with the version of its layout. The original ignores the mark, so the directory
 * can go back to it.
 */
export function openStorageDirectory(files: Files, directory: string): void {
  files.makeDirectory(directory);
  const path = `${directory}/${FILE}`;
  if (!files.exists(path)) {
    files.replaceFile(path, `${JSON.stringify({ layout: 'alertmanager', version: VERSION })}\n`);
    return;
  }
  const version = versionIn(new TextDecoder().decode(files.readFile(path)));
  if (version === null || version > VERSION) {
    throw new InputError(
      'ALERTMANAGER.DIRECTORY_FORMAT',
      path,
      version === null
        ? 'the mark of the data directory cannot be read; remove the file if the directory is this role’s'
        : `the data directory was written by a newer version (layout ${version}, known ${VERSION}); start that version`,
    );
  }
}

function versionIn(text: string): number | null {
  try {
    const mark = JSON.parse(text) as unknown;
    if (typeof mark !== 'object' || mark === null || !('version' in mark)) return null;
    return typeof mark.version === 'number' ? mark.version : null;
  } catch {
    return null;
  }
}
