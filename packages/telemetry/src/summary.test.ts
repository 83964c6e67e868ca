import { describe, expect, it } from 'vitest';
import { Registry, renderText } from './index.ts';

describe('a summary', () => {
  it('shows quantiles of the latest observations, and sum and count of all', () => {
    const registry = new Registry();
    const summary = registry.summaries('s', 'help', ['job']).with('j');
    for (let i = 1; i <= 1_000; i++) summary.observe(1_000);
    for (let i = 1; i <= 512; i++) summary.observe(i);
    expect(renderText(registry.gather())).toBe(
      [
        '# HELP s help',
        '# TYPE s summary',
        's{job="j",quantile="0.01"} 6',
        's{job="j",quantile="0.05"} 26',
        's{job="j",quantile="0.5"} 256',
        's{job="j",quantile="0.9"} 461',
        's{job="j",quantile="0.99"} 507',
        's_sum{job="j"} 1131328',
        's_count{job="j"} 1512',
        '',
      ].join('\n'),
    );
  });

  it('shows NaN as long as nothing was observed', () => {
    const registry = new Registry();
    registry.summaries('s', 'help', []).with();
    expect(renderText(registry.gather())).toContain('s{quantile="0.5"} NaN\n');
  });

  it('has sum and count alone where no quantiles are asked for', () => {
    const registry = new Registry();
    const summary = registry.summaries('s', 'help', [], []).with();
    summary.observe(2);
    summary.observe(3);
    const text = renderText(registry.gather());
    expect(text).toBe('# HELP s help\n# TYPE s summary\ns_sum 5\ns_count 2\n');
  });
});
