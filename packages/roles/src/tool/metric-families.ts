import { parseExposition } from '@pollux/exposition';
import { METRIC_NAME, type MetricType } from '@pollux/model';
import type { LintedFamily } from './metric-lint.ts';

type Building = {
  name: string;
  type: MetricType;
  hasHelp: boolean;
  sampleCount: number;
  labelNames: Set<string>;
};

/** Endings under which a family's samples appear besides its own name. */
const ENDINGS: Readonly<Partial<Record<MetricType, readonly string[]>>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['_sum', '_count'],
};

/** The families of a text exposition, in the order of the text. Throws ParseError at the bad line. */
export function readFamilies(bytes: Uint8Array): readonly LintedFamily[] {
  const families = new Map<string, Building>();
  const family = (name: string): Building => {
    const known = families.get(name);
    if (known !== undefined) return known;
    const made: Building = {
      name,
      type: 'unknown',
      hasHelp: false,
      sampleCount: 0,
      labelNames: new Set(),
    };
    families.set(name, made);
    return made;
  };
  const owner = (sample: string): Building => {
    for (const [type, endings] of Object.entries(ENDINGS)) {
      for (const ending of endings) {
        const base = sample.endsWith(ending) ? families.get(sample.slice(0, -ending.length)) : null;
        if (base?.type === type) return base;
      }
    }
    return family(sample);
  };
  parseExposition(bytes, 'text', {
    sample: (line) => {
      const labels = line.labels();
      const one = owner(labels.get(METRIC_NAME));
      one.sampleCount++;
      for (let i = 0; i < labels.size; i++) {
        if (labels.nameAt(i) !== METRIC_NAME) one.labelNames.add(labels.nameAt(i));
      }
    },
    metadata: (line) => {
      const one = family(line.metric);
      if (line.kind === 'type') one.type = line.type;
      if (line.kind === 'help') one.hasHelp = true;
    },
  });
  return [...families.values()].filter(({ sampleCount }) => sampleCount > 0);
}
