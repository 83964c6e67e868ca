import { Labels, wordsOf } from '@pollux/model';
import type { Appender } from '@pollux/storage';
import { SampleStore } from '../unit-test/sample-store.ts';

/** A storage for tests, to be looked into and to be made fail. */
export class MemoryStorage extends SampleStore {
  commits = 0;
  /** When set, every commit fails with it. */
  failure: Error | null = null;

  override appender(): Appender {
    const appender = super.appender();
    return {
      ...appender,
      commit: async () => {
        if (this.failure !== null) throw this.failure;
        await appender.commit();
        this.commits++;
      },
    };
  }

  /** The samples of the series with these labels as `ms: value`, a stale marker as `ms: stale`. */
  samples(labels: Readonly<Record<string, string>>): string[] {
    const columns = this.columns(Labels.from(labels));
    if (columns === null) return [];
    const words = wordsOf(columns.values);
    return [...columns.timestampsMs].map((atMs, i) => {
      const isStale = words[i * 2 + 1] === 0x7ff00000 && words[i * 2] === 2;
      return `${atMs}: ${isStale ? 'stale' : columns.values[i]}`;
    });
  }

  /** Label sets of all series, as text. */
  names(): string[] {
    return this.allLabels().map((labels) => labels.toMetricString());
  }

  /** The last sample's value as 16 hex digits. */
  lastBits(labels: Readonly<Record<string, string>>): string {
    const words = wordsOf(this.columns(Labels.from(labels))!.values);
    const hex = (word: number): string => word.toString(16).padStart(8, '0');
    return hex(words.at(-1)!) + hex(words.at(-2)!);
  }

  put(labels: Readonly<Record<string, string>>, timestampMs: number, value: number): void {
    this.load(Labels.from(labels), [{ kind: 'value', value }], timestampMs, 1);
  }

  putStale(labels: Readonly<Record<string, string>>, timestampMs: number): void {
    this.load(Labels.from(labels), [{ kind: 'stale' }], timestampMs, 1);
  }
}
