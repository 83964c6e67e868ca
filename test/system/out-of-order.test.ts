import { Labels, wordsOf } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder } from '@pollux/remote';
import { afterAll, describe, expect, it } from 'vitest';
import { RunningRole, Scratch } from './running-role.ts';

const scratch = new Scratch();
afterAll(() => scratch.remove());

const WRITE = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0',
};
const NOW = Date.now();

function configure(window: string): string {
  return scratch.file(
    'prometheus.yml',
    `storage: {tsdb: {out_of_order_time_window: ${window}}}\nscrape_configs: []\n`,
  );
}

/** Sends one sample `ageMs` before now; gives the status and what is said. */
async function send(server: RunningRole, ageMs: number): Promise<string> {
  const encoder = new TimeSeriesEncoder();
  const rows = {
    timestampsMs: Float64Array.of(NOW - ageMs),
    words: wordsOf(Float64Array.of(ageMs)),
  };
  encoder.run(encodeLabels(Labels.from({ __name__: 'm' })), rows, 0, 1);
  const { status, text } = await server.post('/api/v1/write', snappyEncode(encoder.bytes()), WRITE);
  return `${status} ${text.trim()}`;
}

describe('the out-of-order window of a server', () => {
  it('opens, narrows and shuts by reload; what was taken stays', async () => {
    const server = await RunningRole.start([
      'server',
      `--config.file=${configure('0s')}`,
      `--storage.tsdb.path=${scratch.at('data')}`,
      '--web.listen-address=127.0.0.1:0',
      '--web.enable-remote-write-receiver',
      '--web.enable-lifecycle',
    ]);
    const reload = async (window: string): Promise<void> => {
      configure(window);
      expect((await server.post('/-/reload', '')).status).toBe(200);
    };
    expect(await send(server, 0)).toBe('204 ');
    expect(await send(server, 5_000)).toMatch(/^400 .*out of order sample/);
    await reload('1h');
    expect(await send(server, 5_000)).toBe('204 ');
    expect(await send(server, 3_500_000)).toBe('204 ');
    await reload('30m');
    expect(await send(server, 3_500_001)).toMatch(/^400 .*too old sample/);
    expect(await send(server, 6_000)).toBe('204 ');
    await reload('0s');
    expect(await send(server, 7_000)).toMatch(/^400 .*out of order sample/);
    expect(await send(server, -11 * 60_000)).toMatch(
      /^400 .*out of bounds: timestamp is too far in the future/,
    );
    const [found] = await server.query('sort(count_over_time(m[2h]))');
    expect(found?.value[1]).toBe('4');
    expect(
      await server.metric('prometheus_tsdb_head_out_of_order_samples_appended_total{type="float"}'),
    ).toBe(3);
    expect((await server.end()).status).toBe(0);
  });
});
