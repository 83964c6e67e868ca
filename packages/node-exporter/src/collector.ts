import type { FamilyType, MetricFamily } from '@pollux/telemetry';
import type { Host } from './host.ts';

/**
 * One source of metrics of the machine. `collect` reads synchronously and throws when its source cannot be read; that
 * marks the collector as failed and concerns no other.
 */
export type Collector = {
  readonly name: string;
  /** Whether it runs without being asked for. */
  readonly isDefault: boolean;
  collect(host: Host): readonly MetricFamily[];
};

/** Builds one family; labels are name, value, name, value … */
export class FamilyBuilder {
  readonly #name: string;
  readonly #help: string;
  readonly #type: FamilyType;
  readonly #samples: { suffix: string; labels: readonly string[]; value: number }[] = [];

  constructor(name: string, type: FamilyType, help: string) {
    this.#name = name;
    this.#type = type;
    this.#help = help;
  }

  add(value: number, ...labels: string[]): this {
    this.#samples.push({ suffix: '', labels, value });
    return this;
  }

  build(): MetricFamily {
    return { name: this.#name, help: this.#help, type: this.#type, samples: this.#samples };
  }
}

/** A family with one sample. */
export function single(
  name: string,
  type: FamilyType,
  help: string,
  value: number,
  ...labels: string[]
): MetricFamily {
  return { name, help, type, samples: [{ suffix: '', labels, value }] };
}
