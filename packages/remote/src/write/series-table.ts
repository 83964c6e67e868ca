import { type Labels, LabelsBuilder, type RelabelStep, relabel } from '@pollux/model';
import { encodeLabels } from '../codec/v1/labels.ts';

type Entry = {
  /** Label fields as they go on the wire; null when write_relabel_configs drop the series. */
  readonly labelFields: Uint8Array | null;
  /** Where its record was last seen, to tell when the log has forgotten it. */
  segment: number;
};

/** What a destination sends for each series of the log: external labels added, relabelled, encoded, once per series. */
export class SeriesTable {
  readonly #externalLabels: Labels;
  readonly #steps: readonly RelabelStep[];
  readonly #entries = new Map<number, Entry>();

  constructor(externalLabels: Labels, steps: readonly RelabelStep[]) {
    this.#externalLabels = externalLabels;
    this.#steps = steps;
  }

  get size(): number {
    return this.#entries.size;
  }

  put(ref: number, labels: Labels, segment: number): void {
    const known = this.#entries.get(ref);
    // A ref is never given to another label set while the log may still mention it.
    if (known !== undefined) {
      known.segment = Math.max(known.segment, segment);
      return;
    }
    const sent = relabel(withExternalLabels(labels, this.#externalLabels), this.#steps);
    const labelFields = sent === null || sent.isEmpty ? null : encodeLabels(sent);
    this.#entries.set(ref, { labelFields, segment });
  }

  /** Label fields; null for a series that is dropped by relabelling, undefined for an unknown one. */
  labelFields(ref: number): Uint8Array | null | undefined {
    return this.#entries.get(ref)?.labelFields;
  }

  /** Forgets series last seen before `segment`. */
  forgetBefore(segment: number): void {
    for (const [ref, entry] of this.#entries) {
      if (entry.segment < segment) this.#entries.delete(ref);
    }
  }
}

/** A label that the series has itself wins over the external one. */
export function withExternalLabels(labels: Labels, external: Labels): Labels {
  if (external.isEmpty) return labels;
  const builder = new LabelsBuilder(labels);
  for (const [name, value] of external) if (!labels.has(name)) builder.set(name, value);
  return builder.build();
}
