import type { Annotation, SeriesColumns, SeriesSource } from './queryable.ts';

/** A source that is planned when it is first read. */
export class PlannedSource implements SeriesSource {
  readonly #plan: () => Promise<SeriesSource>;
  #source: SeriesSource | null = null;
  #isClosed = false;

  constructor(plan: () => Promise<SeriesSource>) {
    this.#plan = plan;
  }

  get warnings(): readonly Annotation[] {
    return this.#source?.warnings ?? [];
  }

  async next(): Promise<readonly SeriesColumns[] | null> {
    if (this.#isClosed) return null;
    this.#source ??= await this.#plan();
    if (this.#isClosed) this.#source.close();
    return this.#source.next();
  }

  close(): void {
    this.#isClosed = true;
    this.#source?.close();
  }
}
