import { type Files, systemCode } from '@pollux/base';
import type { WalPosition } from './wal-port.ts';

const FORMAT_VERSION = 1;

/**
 * Where a destination stands: everything before the position was acknowledged by it or given up. Kept as JSON
 * (`{"version":1,"segment":12,"offset":32768}`), replaced whole, so that after a crash the old or the new one is there.
 */
export class CursorFile {
  readonly #files: Files;
  readonly #path: string;

  constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /** Null when there is none or it cannot be read: the destination then starts at the log's end. */
  load(): WalPosition | null {
    let text: string;
    try {
      text = new TextDecoder().decode(this.#files.readFile(this.#path));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return null;
      throw error;
    }
    return parseCursor(text);
  }

  save(position: WalPosition): void {
    const { segment, offset } = position;
    this.#files.replaceFile(
      this.#path,
      `${JSON.stringify({ version: FORMAT_VERSION, segment, offset })}\n`,
    );
  }
}

function parseCursor(text: string): WalPosition | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const { version, segment, offset } = value as Record<string, unknown>;
    if (version !== FORMAT_VERSION || !isCount(segment) || !isCount(offset)) return null;
    return { segment, offset };
  } catch {
    return null;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
