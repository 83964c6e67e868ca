import { describe, expect, it } from 'vitest';
import { hasPrometheus, NO_PROMETHEUS } from '../../peers/real-prometheus.ts';
import { peerOf } from './peer.ts';
import { failuresOf, run } from './run.ts';
import { startStorePair } from './servers.ts';

const PEER = process.env.POLLUX_PROMETHEUS ?? 'prometheus';
const QUERIES = Number(process.env.POLLUX_QUERIES ?? 400);
const SEED = Number(process.env.POLLUX_SEED ?? 7);

describe.skipIf(!hasPrometheus)(
  `seeded queries to a store, beside Prometheus${NO_PROMETHEUS}`,
  () => {
    it('answers the same over what both were written', { timeout: 300_000 }, async () => {
      const report = await run({
        seed: SEED,
        queries: QUERIES,
        peer: peerOf(PEER),
        start: startStorePair,
      });
      expect(failuresOf(report)).toEqual([]);
    });
  },
);
