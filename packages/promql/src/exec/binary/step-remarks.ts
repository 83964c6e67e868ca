import type { Annotations } from '../../annotations.ts';
import type { PositionRange } from '../../parser/parse-error.ts';

/** Takes remarks on elements. */
export type RemarkSink = Pick<Annotations, 'warn' | 'info'>;

type Remark = {
  readonly kind: 'warn' | 'info';
  readonly text: string;
  readonly range: PositionRange;
};

/** Of the elements that an operator between vectors joins at a step, Prometheus tells the last remark. */
export class StepRemarks implements RemarkSink {
  readonly #last = new Map<number, Remark>();
  /** The step that is being computed. */
  step = 0;

  warn(text: string, range: PositionRange): void {
    this.#last.set(this.step, { kind: 'warn', text, range });
  }

  info(text: string, range: PositionRange): void {
    this.#last.set(this.step, { kind: 'info', text, range });
  }

  /** Passes on what was said of the steps since the last time. */
  flush(annotations: Annotations): void {
    for (const { kind, text, range } of this.#last.values()) annotations[kind](text, range);
    this.#last.clear();
  }
}
