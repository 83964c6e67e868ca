import * as fs from 'node:fs';
import { OperatingError } from '@pollux/base';
import { Labels } from '@pollux/model';
import type { WalPort, WalPosition, WalRecord, WalSegmentReader } from '../index.ts';

export type Line =
  | { readonly series: readonly [ref: number, labels: Record<string, string>][] }
  | { readonly samples: readonly [ref: number, timestampMs: number, value: number][] };

/** A log of JSON lines with the file layout of the real one: numbered segments, checkpoints, truncation. */
export class LineLog implements WalPort {
  readonly directory: string;
  readonly #listeners = new Set<() => void>();
  readonly #hooks = new Set<() => void>();
  readonly #series = new Map<number, Record<string, string>>();
  segment = 0;

  constructor(directory: string) {
    this.directory = directory;
    fs.mkdirSync(directory, { recursive: true });
    fs.writeFileSync(this.#path(0), '');
  }

  append(...lines: Line[]): void {
    for (const line of lines) {
      if ('series' in line) for (const [ref, labels] of line.series) this.#series.set(ref, labels);
      fs.appendFileSync(this.#path(this.segment), `${JSON.stringify(line)}\n`);
    }
    for (const listener of this.#listeners) listener();
  }

  cut(): void {
    this.segment++;
    fs.writeFileSync(this.#path(this.segment), '');
  }

  /** Writes checkpoint `index` with the living series and deletes what it replaces, as after a head truncation. */
  truncate(index: number, dead: readonly number[] = []): void {
    for (const ref of dead) this.#series.delete(ref);
    const directory = `${this.directory}/checkpoint.${segmentName(index)}`;
    fs.mkdirSync(directory);
    const line: Line = { series: [...this.#series] };
    fs.writeFileSync(`${directory}/00000000`, `${JSON.stringify(line)}\n`);
    for (const hook of this.#hooks) hook();
    for (const file of fs.readdirSync(this.directory)) {
      const isOldSegment = /^\d+$/.test(file) && Number(file) <= index;
      const isOldCheckpoint =
        file.startsWith('checkpoint.') && file < `checkpoint.${segmentName(index)}`;
      if (isOldSegment || isOldCheckpoint) {
        fs.rmSync(`${this.directory}/${file}`, { recursive: true });
      }
    }
  }

  tail(): WalPosition {
    return { segment: this.segment, offset: fs.statSync(this.#path(this.segment)).size };
  }

  openSegment(file: string, offset: number): WalSegmentReader {
    return new LineReader(file, offset);
  }

  /** The process that listened is dead. */
  forgetListeners(): void {
    this.#listeners.clear();
    this.#hooks.clear();
  }

  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  beforeDelete(hook: () => void): () => void {
    this.#hooks.add(hook);
    return () => this.#hooks.delete(hook);
  }

  #path(segment: number): string {
    return `${this.directory}/${segmentName(segment)}`;
  }
}

class DamagedLine extends OperatingError {
  constructor() {
    super('TEST.DAMAGED', 'damaged line');
  }
}

class LineReader implements WalSegmentReader {
  readonly #file: string;
  offset: number;

  constructor(file: string, offset: number) {
    this.#file = file;
    this.offset = offset;
  }

  next(limit: number): WalRecord | null {
    const data = fs.readFileSync(this.#file).subarray(this.offset, limit);
    const end = data.indexOf(10);
    if (end < 0) return null;
    const text = data.subarray(0, end).toString();
    if (text === 'damaged') throw new DamagedLine();
    const line = JSON.parse(text) as Line;
    this.offset += end + 1;
    if ('series' in line) {
      const series = line.series.map(([ref, labels]) => ({ ref, labels: Labels.from(labels) }));
      return { kind: 'series', series };
    }
    const values = Float64Array.from(line.samples, ([, , value]) => value);
    return {
      kind: 'samples',
      count: line.samples.length,
      refs: Uint32Array.from(line.samples, ([ref]) => ref),
      timestampsMs: Float64Array.from(line.samples, ([, timestampMs]) => timestampMs),
      valueWords: new Uint32Array(values.buffer),
    };
  }

  close(): void {}
}

/** Eight digits, as the files of a log are named. */
export function segmentName(index: number): string {
  return String(index).padStart(8, '0');
}
