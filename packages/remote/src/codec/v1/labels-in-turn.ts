import { DecodeError, decodeText } from '@pollux/base';
import { Labels } from '@pollux/model';
import { readLabelSpans } from './label-spans.ts';
import { decodeLabels } from './labels.ts';

/** Of a series with more nothing is remembered. */
const MOST_LABELS = 64;

/**
 * Decodes the label sets of an answer one after another. Series come in the order of their labels, so most names and values are
 * those of the series before: where their bytes are the same, its strings are taken.
 */
export class LabelsInTurn {
  #data: Uint8Array = new Uint8Array(0);
  /** Start and end of each name and value in `#data`, whose strings are in `#texts`. */
  #known = new Uint32Array(MOST_LABELS * 4);
  #spans = new Uint32Array(MOST_LABELS * 4);
  #texts: readonly string[] = [];

  /** The label fields in `data[start, end)`, which stays as it is until the next call. Throws DecodeError. */
  read(data: Uint8Array, start: number, end: number): Labels {
    const count = readLabelSpans(data, start, end, this.#spans);
    if (count < 0) {
      const decoded = decodeLabels(data, start, end);
      if (decoded.kind === 'invalid') throw new DecodeError(decoded.reason, start);
      return decoded.labels;
    }
    const texts = new Array<string>(count * 2);
    for (let i = 0; i < texts.length; i++) texts[i] = this.#textAt(i, data);
    [this.#spans, this.#known] = [this.#known, this.#spans];
    this.#data = data;
    this.#texts = texts;
    return Labels.fromSortedFlat(texts);
  }

  #textAt(index: number, data: Uint8Array): string {
    const from = this.#spans[index * 2]!;
    const to = this.#spans[index * 2 + 1]!;
    const known = this.#texts[index];
    if (known === undefined) return decodeText(data, from, to);
    const before = this.#data;
    const length = to - from;
    const at = this.#known[index * 2]!;
    if (this.#known[index * 2 + 1]! - at !== length) return decodeText(data, from, to);
    // Names differ in their last letters, if at all.
    for (let i = length - 1; i >= 0; i--)
      if (before[at + i] !== data[from + i]) return decodeText(data, from, to);
    return known;
  }
}
