import { type Files, systemCode } from '@pollux/base';
import {
  checkpointIndexOf,
  checkpointName,
  segmentIndexOf,
  segmentName,
  type WalPort,
} from './wal-port.ts';

/**
 * Hard links of the log's files that one destination still needs: every segment from its cursor on, and before those the
 * newest checkpoint with the segments behind it, since they hold the series records that later samples refer to. Links
 * cost no second write; they cost disk only once the log itself has deleted the file.
 */
export class PinnedLog {
  readonly #files: Files;
  readonly #wal: WalPort;
  readonly #directory: string;
  #segments: number[] = [];
  #checkpoints: number[] = [];

  /** `directory` belongs to this destination alone and is created. */
  constructor(files: Files, wal: WalPort, directory: string) {
    this.#files = files;
    this.#wal = wal;
    this.#directory = directory;
    files.makeDirectory(directory);
    this.#segments = this.#numbers(directory, segmentIndexOf);
    this.#checkpoints = this.#numbers(directory, checkpointIndexOf);
  }

  segmentPath(segment: number): string {
    return `${this.#directory}/${segmentName(segment)}`;
  }

  /** Files of the checkpoint, in order. */
  checkpointPaths(checkpoint: number): string[] {
    const directory = `${this.#directory}/${checkpointName(checkpoint)}`;
    return this.#files.list(directory).map((name) => `${directory}/${name}`);
  }

  /** The first pinned segment at or after `segment`, or −1. */
  segmentFrom(segment: number): number {
    return this.#segments.find((index) => index >= segment) ?? -1;
  }

  /** The newest pinned checkpoint before `segment`, or −1: what a reader of `segment` must have read first. */
  baseOf(segment: number): number {
    return this.#checkpoints.findLast((index) => index < segment) ?? -1;
  }

  get checkpoints(): readonly number[] {
    return this.#checkpoints;
  }

  /** Links what the log has and this does not. Cheap when nothing is new: one directory listing. */
  link(): void {
    const newestCheckpoint = this.#numbers(this.#wal.directory, checkpointIndexOf).at(-1) ?? -1;
    const first = this.#segments[0] ?? newestCheckpoint + 1;
    if (newestCheckpoint > (this.#checkpoints.at(-1) ?? -1)) this.#linkCheckpoint(newestCheckpoint);
    let changed = false;
    for (const segment of this.#numbers(this.#wal.directory, segmentIndexOf)) {
      if (segment < first || this.#segments.includes(segment)) continue;
      const name = segmentName(segment);
      if (this.#tryLink(`${this.#wal.directory}/${name}`, `${this.#directory}/${name}`)) {
        this.#segments.push(segment);
        changed = true;
      }
    }
    this.#segments.sort((a, b) => a - b);
    if (changed) this.#files.syncDirectory(this.#directory);
  }

  /** Unlinks everything: the links are of another log, or nothing says where the destination stands in them. */
  clear(): void {
    for (const name of this.#files.list(this.#directory)) {
      this.#files.removeTree(`${this.#directory}/${name}`);
    }
    this.#segments = [];
    this.#checkpoints = [];
  }

  /** Unlinks what a cursor in `segment` no longer needs. */
  release(segment: number): void {
    const base = this.baseOf(segment);
    for (const index of this.#checkpoints.filter((index) => index < base)) {
      this.#files.removeTree(`${this.#directory}/${checkpointName(index)}`);
    }
    for (const index of this.#segments.filter((index) => index <= base)) {
      this.#files.remove(this.segmentPath(index));
    }
    this.#checkpoints = this.#checkpoints.filter((index) => index >= base);
    this.#segments = this.#segments.filter((index) => index > base);
  }

  /**
   * Bytes that only these links keep on the disk, were everything released that a cursor behind checkpoint `base` does
   * not need (−1: as it is now).
   */
  exclusiveBytes(base = -1): number {
    const kept = new Set(this.#files.list(this.#wal.directory));
    let bytes = 0;
    for (const index of this.#segments) {
      if (index > base && !kept.has(segmentName(index)))
        bytes += this.fileSize(this.segmentPath(index));
    }
    for (const index of this.#checkpoints) {
      if (index < base || kept.has(checkpointName(index))) continue;
      for (const path of this.checkpointPaths(index)) bytes += this.fileSize(path);
    }
    return bytes;
  }

  /** Built beside and renamed, so that a checkpoint is pinned whole or not at all. */
  #linkCheckpoint(index: number): void {
    const name = checkpointName(index);
    const temporary = `${this.#directory}/${name}.tmp`;
    this.#files.removeTree(temporary);
    this.#files.makeDirectory(temporary);
    for (const file of this.#files.list(`${this.#wal.directory}/${name}`)) {
      if (!this.#tryLink(`${this.#wal.directory}/${name}/${file}`, `${temporary}/${file}`)) {
        this.#files.removeTree(temporary);
        return;
      }
    }
    this.#files.syncDirectory(temporary);
    this.#files.rename(temporary, `${this.#directory}/${name}`);
    this.#files.syncDirectory(this.#directory);
    this.#checkpoints.push(index);
  }

  /** False when the log deleted the file in the meantime. */
  #tryLink(existing: string, created: string): boolean {
    try {
      this.#files.link(existing, created);
      return true;
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return true;
      if (systemCode(error) === 'ENOENT') return false;
      throw error;
    }
  }

  #numbers(directory: string, numberOf: (name: string) => number): number[] {
    const numbers = this.#files.list(directory).map(numberOf);
    return numbers.filter((number) => number >= 0).sort((a, b) => a - b);
  }

  /** Bytes, 0 when the file is gone. */
  fileSize(path: string): number {
    try {
      return this.#files.stat(path).size;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return 0;
      throw error;
    }
  }
}
