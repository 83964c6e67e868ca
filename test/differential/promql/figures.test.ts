import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasPrometheus, NO_PROMETHEUS } from '../../peers/real-prometheus.ts';
import { seededData } from './data.ts';
import { youngerData } from './data-younger.ts';
import { askFigures, differingFigures, figureDeviation } from './figures.ts';
import { caseOf } from './generate.ts';
import { peerOf } from './peer.ts';
import { type Pair, startPair } from './servers.ts';

/** A 3.x of one's own says the most: 2.42 counts aggregations in another way. */
const PEER = process.env.POLLUX_PROMETHEUS ?? 'prometheus';
const QUERIES = Number(process.env.POLLUX_QUERIES ?? 400);
const SEED = Number(process.env.POLLUX_SEED ?? 42);
/** About half of the queries hold more. */
const LIMIT = 60;
/** Of JavaScript's dates. */
const END_OF_TIME_MS = 8.64e15;

describe.skipIf(!hasPrometheus)(
  `samples of seeded queries, beside Prometheus${NO_PROMETHEUS}`,
  () => {
    let pair: Pair;
    let limited: Pair;
    const peer = peerOf(PEER);
    beforeAll(async () => {
      const data = [...seededData(SEED), ...(peer.dialect === '3.x' ? youngerData(SEED) : [])];
      pair = await startPair(data, peer, ['promql-per-step-stats']);
      limited = await startPair(data, peer, [], [`--query.max-samples=${LIMIT}`]);
    }, 60_000);
    afterAll(async () => {
      await pair.close();
      await limited.close();
    });

    it('counts the same, holds as many at most, and refuses the same by the limit', {
      timeout: 300_000,
    }, async () => {
      let alike = 0;
      let refused = 0;
      const excused = new Map<string, number>();
      for (let i = 0; i < QUERIES; i++) {
        const { query, times } = caseOf(SEED, i, peer.dialect);
        const [ours, theirs, oursLimited, theirsLimited] = await Promise.all(
          [pair.ours, pair.theirs, limited.ours, limited.theirs].map((base) =>
            askFigures(base, query, times),
          ),
        );
        if (!ours || !theirs) continue;
        // Prometheus tells the end of time as 0.
        const atMs = times.kind === 'instant' ? times.timeMs : times.startMs;
        if (Math.abs(atMs) > END_OF_TIME_MS) continue;
        const differing = differingFigures(ours, theirs);
        const why = differing.length > 0 ? figureDeviation(peer.dialect, query, differing) : null;
        if (why !== null) {
          excused.set(why, (excused.get(why) ?? 0) + 1);
          continue;
        }
        expect.soft(ours, `${i}: ${query}`).toMatchObject(theirs);
        expect.soft(oursLimited === null, `limit, ${i}: ${query}`).toBe(theirsLimited === null);
        alike++;
        if (oursLimited === null) refused++;
      }
      const inAll = [...excused.values()].reduce((sum, count) => sum + count, 0);
      expect(inAll, [...excused].join('\n')).toBeLessThan(
        QUERIES * (peer.dialect === '3.x' ? 0.05 : 0.3),
      );
      expect(alike).toBeGreaterThan(QUERIES * 0.6);
      expect(refused).toBeGreaterThan(QUERIES * 0.1);
    });
  },
);
