import { describe, expect, it } from 'vitest';
import type { AdminPort } from './ports.ts';
import { ok } from './testing/bodies.ts';
import { World } from './testing/world.ts';

describe('admin and lifecycle pages', () => {
  const calls: string[] = [];
  const admin: AdminPort = {
    deleteSeries: async (range, matchers) => {
      calls.push(`delete ${matchers.map(String)} ${range.minMs} ${range.maxMs}`);
    },
    cleanTombstones: async () => {
      throw new Error('disk full');
    },
    snapshot: async (skipHead) => `snap-${skipHead}`,
  };

  it('are shut without their flags', async () => {
    const world = new World();
    expect(await world.post('/api/v1/admin/tsdb/delete_series', 'match[]=up')).toMatchObject({
      status: 500,
      body: '{"status":"error","errorType":"unavailable","error":"admin APIs disabled"}',
    });
    for (const page of ['/-/reload', '/-/quit']) {
      expect(await world.send('POST', page)).toMatchObject({
        status: 403,
        body: 'Lifecycle API is not enabled.\n',
      });
    }
  });

  it('carry out what they are asked', async () => {
    const world = new World([], { admin });
    const deleted = await world.post(
      '/api/v1/admin/tsdb/delete_series',
      'match[]=up&match[]=down&start=1&end=2',
    );
    expect(deleted).toMatchObject({ status: 204, body: '' });
    expect(calls).toEqual(['delete __name__="up" 1000 2000', 'delete __name__="down" 1000 2000']);
    expect((await world.send('PUT', '/api/v1/admin/tsdb/snapshot?skip_head=true')).body).toBe(
      ok('{"name":"snap-true"}'),
    );
    expect(await world.send('POST', '/api/v1/admin/tsdb/clean_tombstones')).toMatchObject({
      status: 500,
      body: '{"status":"error","errorType":"internal","error":"disk full"}',
    });
  });

  it('refuse to delete everything by a slip, and carry out nothing when one selector is bad', async () => {
    const world = new World([], { admin });
    calls.length = 0;
    for (const form of ['match[]={}', 'match[]=up&match[]=', '']) {
      expect(await world.post('/api/v1/admin/tsdb/delete_series', form)).toMatchObject({
        status: 400,
      });
    }
    expect(calls).toEqual([]);
  });

  it('reload and quit', async () => {
    let failure: Error | null = null;
    let hasQuit = false;
    const world = new World([], {
      lifecycle: {
        reload: async () => {
          if (failure !== null) throw failure;
        },
        quit: () => {
          hasQuit = true;
        },
      },
    });
    expect(await world.send('POST', '/-/reload')).toMatchObject({ status: 200, body: '' });
    failure = new Error('prometheus.yml:3:1: unknown field "x"');
    expect(await world.send('PUT', '/-/reload')).toMatchObject({
      status: 500,
      body: 'failed to reload config: prometheus.yml:3:1: unknown field "x"\n',
    });
    expect(await world.send('POST', '/-/quit')).toMatchObject({
      status: 200,
      body: 'Requesting termination... Goodbye!',
    });
    expect(hasQuit).toBe(true);
  });
});
