import type { Files } from './files.ts';

/** Removes a directory and all below it without holding the thread for the files; missing is fine. */
export async function unlinkTree(files: Files, directory: string): Promise<void> {
  if (!files.exists(directory)) return;
  for (const name of files.list(directory)) {
    const path = `${directory}/${name}`;
    if (files.stat(path).isDirectory) await unlinkTree(files, path);
    else await files.unlink(path);
  }
  files.removeTree(directory);
}
