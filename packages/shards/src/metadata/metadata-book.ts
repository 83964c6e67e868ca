import type { Metadata } from '@pollux/model';
import type { MetricMetadata } from '@pollux/storage';
import { directoryName } from '../group-identity.ts';
import { type MetadataPlace, PolicyMetadata } from './policy-metadata.ts';

/** Metadata of metrics by database and retention policy. It lies beside the shard groups and is no part of any. */
export class MetadataBook {
  readonly #place: MetadataPlace;
  readonly #directory: string;
  readonly #pages = new Map<string, PolicyMetadata>();

  /** `directory` has the databases. */
  constructor(place: MetadataPlace, directory: string) {
    this.#place = place;
    this.#directory = directory;
  }

  /** Entries in memory. */
  get count(): number {
    let count = 0;
    for (const page of this.#pages.values()) count += page.count;
    return count;
  }

  /** As {@link PolicyMetadata.write}. */
  async write(
    database: string,
    retentionPolicy: string,
    rows: readonly MetricMetadata[],
  ): Promise<void> {
    if (rows.length > 0) await this.#page(this.#pathOf(database, retentionPolicy)).write(rows);
  }

  entries(
    database: string,
    retentionPolicy: string,
  ): Iterable<readonly [name: string, metadata: Metadata]> {
    return this.#page(this.#pathOf(database, retentionPolicy)).entries();
  }

  /** Forgets what was last seen before a time. */
  expire(database: string, retentionPolicy: string, beforeMs: number): void {
    this.#page(this.#pathOf(database, retentionPolicy)).expire(beforeMs);
  }

  async dropDatabase(database: string): Promise<void> {
    const { files } = this.#place.env;
    const directory = `${this.#directory}/${directoryName(database)}`;
    if (!files.exists(directory)) return;
    for (const name of files.list(directory)) await this.#drop(`${directory}/${name}`);
  }

  dropRetentionPolicy(database: string, retentionPolicy: string): Promise<void> {
    return this.#drop(this.#pathOf(database, retentionPolicy));
  }

  #drop(path: string): Promise<void> {
    return this.#page(path).drop();
  }

  #pathOf(database: string, retentionPolicy: string): string {
    return `${this.#directory}/${directoryName(database)}/${directoryName(retentionPolicy)}`;
  }

  #page(path: string): PolicyMetadata {
    let page = this.#pages.get(path);
    if (page === undefined) {
      page = new PolicyMetadata(this.#place, path);
      this.#pages.set(path, page);
    }
    return page;
  }
}
