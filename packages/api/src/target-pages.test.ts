import { Labels } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import type { TargetView } from './ports.ts';
import { ok } from './testing/bodies.ts';
import { NOW_MS, World } from './testing/world.ts';

describe('the target pages', () => {
  const target = (instance: string): TargetView => ({
    scrapePool: 'node',
    discoveredLabels: Labels.from({ __address__: instance }),
    labels: Labels.from({ instance, job: 'node' }),
    scrapeUrl: `http://${instance}/metrics`,
    globalUrl: `http://${instance}/metrics`,
    lastError: 'Get "x": <nil>',
    lastScrapeMs: instance === 'a:1' ? NOW_MS : null,
    lastScrapeDurationSeconds: 0.01,
    health: 'up',
    intervalMs: 90_000,
    timeoutMs: 10_000,
    metadata: () => [
      ['up', { type: 'gauge', help: `of ${instance}`, unit: '' }],
      ['x_total', { type: 'counter', help: 'x', unit: 's' }],
    ],
  });

  function world(): World {
    const made = new World();
    made.targets.push(target('a:1'), target('b:1'));
    return made;
  }

  it('show targets as the peer does', async () => {
    const { body } = await world().get('/api/v1/targets?state=active');
    expect(body).toBe(
      ok(
        `{"activeTargets":[${['a:1', 'b:1']
          .map(
            (i) =>
              `{"discoveredLabels":{"__address__":"${i}"},"labels":{"instance":"${i}","job":"node"},"scrapePool":"node","scrapeUrl":"http://${i}/metrics","globalUrl":"http://${i}/metrics","lastError":"Get \\"x\\": \\u003cnil\\u003e","lastScrape":"${i === 'a:1' ? '2023-11-14T22:13:20Z' : '0001-01-01T00:00:00Z'}","lastScrapeDuration":0.01,"health":"up","scrapeInterval":"1m30s","scrapeTimeout":"10s"}`,
          )
          .join()}],"droppedTargets":[],"droppedTargetCounts":{"app":1,"node":0}}`,
      ),
    );
  });

  it('show metadata by target and by metric', async () => {
    const made = world();
    expect(
      (await made.get('/api/v1/targets/metadata?match_target={instance="a:1"}&metric=up')).body,
    ).toBe(
      ok('[{"target":{"instance":"a:1","job":"node"},"type":"gauge","help":"of a:1","unit":""}]'),
    );
    expect((await made.get('/api/v1/metadata')).body).toBe(
      ok(
        '{"up":[{"type":"gauge","help":"of a:1","unit":""},{"type":"gauge","help":"of b:1","unit":""}],"x_total":[{"type":"counter","help":"x","unit":"s"}]}',
      ),
    );
    expect((await made.get('/api/v1/metadata?limit=1&limit_per_metric=1')).body).toBe(
      ok('{"up":[{"type":"gauge","help":"of a:1","unit":""}]}'),
    );
    expect((await made.get('/api/v1/metadata?metric=x_total')).body).toBe(
      ok('{"x_total":[{"type":"counter","help":"x","unit":"s"}]}'),
    );
  });
});
