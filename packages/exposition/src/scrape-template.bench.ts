import { bench, describe } from 'vitest';
import { parseExposition, ScrapeTemplate } from './index.ts';

/**
 * One scrape of 5,000 samples as a node exporter writes them, every value changed from scrape to scrape. Divide the time of
 * a run by 5,000 for the cost of a sample.
 */
function exposition(round: number): Uint8Array {
  const lines: string[] = [];
  for (let family = 0; family < 100; family++) {
    lines.push(`# HELP node_metric_${family}_total Seconds the CPUs spent in each mode.`);
    lines.push(`# TYPE node_metric_${family}_total counter`);
    for (let i = 0; i < 50; i++) {
      const value = (family * 1_000 + i * 7.25 + round * 0.01).toFixed(2);
      lines.push(
        `node_metric_${family}_total{cpu="${i}",mode="iowait",device="nvme${i % 4}n1"} ${value}`,
      );
    }
  }
  return new TextEncoder().encode(`${lines.join('\n')}\n`);
}

const rounds = Array.from({ length: 8 }, (_, round) => exposition(round));

describe('5,000 samples', () => {
  const template = new ScrapeTemplate('text');
  let next = 0;
  bench('template: series recognised by position and bytes', () => {
    template.parse(rounds[next++ % rounds.length]!);
  });

  bench('line parser: every line walked, no labels made', () => {
    let sum = 0;
    parseExposition(rounds[next++ % rounds.length]!, 'text', {
      sample: (line) => {
        sum += line.value;
      },
    });
    if (Number.isNaN(sum)) throw new Error('consumed');
  });

  bench('line parser with labels: what a first scrape costs', () => {
    let labels = 0;
    parseExposition(rounds[next++ % rounds.length]!, 'text', {
      sample: (line) => {
        labels += line.labels().size;
      },
    });
    if (labels === 0) throw new Error('consumed');
  });
});
