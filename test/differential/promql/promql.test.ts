import { describe, expect, it } from 'vitest';
import { hasPrometheus, NO_PROMETHEUS } from '../../peers/real-prometheus.ts';
import type { Answer } from './ask.ts';
import { compare } from './compare.ts';
import { DEVIATIONS, MAX_DEVIATIONS } from './deviations.ts';
import { peerOf } from './peer.ts';
import { failuresOf, run } from './run.ts';

const SEED = 42;
const QUERIES = 300;

describe.skipIf(!hasPrometheus)(`PromQL and the released Prometheus${NO_PROMETHEUS}`, () => {
  it(`answers ${QUERIES} seeded queries alike (npm run differential -- promql asks 5,000)`, async () => {
    expect(
      failuresOf(await run({ seed: SEED, queries: QUERIES, peer: peerOf('prometheus') })),
    ).toEqual([]);
  });
});

describe('the comparison of two answers', () => {
  const expectation = { remarks: { warnings: [], infos: [] }, order: null };
  const answer = (value: string, more: Partial<Answer> = {}): Answer => ({
    status: 200,
    errorType: '',
    error: '',
    resultType: 'vector',
    series: [{ metric: { job: 'a' }, value: [1, value] }],
    warnings: [],
    infos: [],
    ...more,
  });
  const kindOf = (ours: Answer, theirs: Answer): string =>
    compare(ours, theirs, expectation)?.kind ?? 'none';

  it('forgives a billionth and nothing more', () => {
    expect(kindOf(answer('1'), answer('1.0000000005'))).toBe('none');
    expect(kindOf(answer('1'), answer('1.00000001'))).toBe('value');
    expect(kindOf(answer('0'), answer('1e-300'))).toBe('value');
    expect(kindOf(answer('NaN'), answer('0'))).toBe('value');
    expect(kindOf(answer('+Inf'), answer('-Inf'))).toBe('value');
    expect(kindOf(answer('1e-07'), answer('0.0000001'))).toBe('format');
  });

  it('sees series, steps, types, statuses and remarks that are missing or new', () => {
    expect(kindOf(answer('1', { series: [] }), answer('1'))).toBe('series');
    expect(kindOf(answer('1'), answer('1', { series: [] }))).toBe('series');
    const late = { series: [{ metric: { job: 'a' }, value: [2, '1'] as const }] };
    expect(kindOf(answer('1'), answer('1', late))).toBe('series');
    expect(kindOf(answer('1'), answer('1', { resultType: 'matrix' }))).toBe('type');
    expect(kindOf(answer('1'), answer('1', { status: 422, errorType: 'execution' }))).toBe(
      'status',
    );
    expect(kindOf(answer('1', { infos: ['new'] }), answer('1'))).toBe('remarks');
    const remarked = { ...expectation, remarks: { warnings: ['due'], infos: [] } };
    expect(compare(answer('1'), answer('1'), remarked)?.kind).toBe('remarks');
  });

  it('has few explained differences', () => {
    expect(DEVIATIONS.length).toBeLessThanOrEqual(MAX_DEVIATIONS);
  });
});
