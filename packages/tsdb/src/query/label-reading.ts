import type { Clock } from '@pollux/base';
import { sortInSteps } from '@pollux/base';
import { compareText } from '@pollux/model';
import type { Annotation, NamesAnswer, ReadContext, TimeRange } from '@pollux/storage';
import type { Block } from '../block/block.ts';
import { BlockCursor, isDamage } from '../block/block-cursor.ts';
import type { BlockSet } from '../block/block-set.ts';
import { DamageReport } from '../block/damage-report.ts';
import type { Head } from '../head/head.ts';
import { HeadCursor, headSeriesWithDeletions } from '../head/read.ts';
import { OooCursor } from '../ooo/ooo-cursor.ts';
import { Slices } from '../slices.ts';
import { ColumnBuilder } from './column-builder.ts';
import { seriesWithoutSamples } from './deleted-series.ts';

const NOTHING: ReadonlySet<number> = new Set();

/** One request for label names or values: finds which series deletions hide from it, and collects warnings. */
export class LabelReading {
  readonly #range: TimeRange;
  readonly #context: ReadContext;
  /** Of series with deletions, which few have. */
  #ownBuilder: ColumnBuilder | null = null;
  readonly #slices: Slices;
  readonly #head: Head;
  readonly #damage: DamageReport;

  constructor(
    range: TimeRange,
    context: ReadContext,
    parts: {
      readonly head: Head;
      readonly blocks: BlockSet;
      readonly init: { readonly env: { readonly clock: Clock } };
    },
  ) {
    this.#range = range;
    this.#context = context;
    this.#slices = new Slices(parts.init.env.clock, context.signal);
    this.#head = parts.head;
    this.#damage = new DamageReport(parts.blocks);
  }

  get #builder(): ColumnBuilder {
    this.#ownBuilder ??= new ColumnBuilder(this.#range, this.#context.budget);
    return this.#ownBuilder;
  }

  /** What the head gives, without holding the thread. */
  async ofHead(
    read: (hidden: ReadonlySet<number>) => Iterator<void, Set<string>>,
  ): Promise<Set<string>> {
    return this.#slices.run(read(await this.#hiddenInHead()));
  }

  /** Sorted, at most `limit` if that is not 0. */
  async answer(
    texts: ReadonlySet<string>,
    limit: number,
    warnings: readonly Annotation[],
  ): Promise<NamesAnswer> {
    const values = await this.#slices.run(sortedTexts(texts, limit));
    return { values, warnings: [...warnings, ...this.#damage.warnings] };
  }

  async #hiddenInHead(): Promise<ReadonlySet<number>> {
    const head = this.#head;
    const { samples } = head.outOfOrder;
    const refs = headSeriesWithDeletions(head);
    if (refs.length === 0) return NOTHING;
    const cursor = new HeadCursor(head, this.#range, refs);
    const hidden = await seriesWithoutSamples(cursor, this.#builder, this.#slices);
    const left = Uint32Array.from(hidden).filter((ref) => head.table.slotOf(ref) >= 0);
    const late = new OooCursor(head, this.#range, left);
    const hiddenLate = await seriesWithoutSamples(late, this.#builder, this.#slices);
    const isHidden = (ref: number): boolean =>
      hiddenLate.has(ref) || !samples.has(head.table.slotOf(ref));
    return new Set([...hidden].filter(isHidden));
  }

  /** Does what `visit` gives for each block, with its hidden series. A damaged block gives what it can. */
  async eachBlock(
    blocks: readonly Block[],
    visit: (block: Block, hidden: ReadonlySet<number>) => Iterator<void, void>,
  ): Promise<void> {
    for (const block of blocks) block.hold();
    try {
      for (const block of blocks) {
        const hidden = await this.#hiddenIn(block);
        try {
          await this.#slices.run(visit(block, hidden));
        } catch (error) {
          if (!isDamage(error)) throw error;
          this.#damage.note(block, error);
        }
        if (this.#slices.isOver) await this.#slices.pause();
      }
    } finally {
      for (const block of blocks) block.release();
    }
  }

  async #hiddenIn(block: Block): Promise<ReadonlySet<number>> {
    const refs = block.seriesWithDeletions();
    if (refs.length === 0) return NOTHING;
    const cursor = new BlockCursor(block, this.#range, refs, this.#damage.note);
    return seriesWithoutSamples(cursor, this.#builder, this.#slices);
  }
}

/** Texts that are looked at between two steps. */
const STEP = 4_096;

function* sortedTexts(texts: ReadonlySet<string>, limit: number): Generator<void, string[]> {
  const all: string[] = [];
  const order = new Uint32Array(texts.size);
  for (const text of texts) {
    if (all.length % STEP === 0) yield;
    order[all.length] = all.length;
    all.push(text);
  }
  yield* sortInSteps(order, (a, b) => compareText(all[a]!, all[b]!));
  const sorted: string[] = [];
  for (const i of limit > 0 ? order.subarray(0, limit) : order) {
    if (sorted.length % STEP === 0) yield;
    sorted.push(all[i]!);
  }
  return sorted;
}
