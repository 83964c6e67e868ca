import { gzipSync } from 'node:zlib';
import { EVERYONE, type HttpRequest, type Listener } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import { parseYaml, strictContext } from '@pollux/config';
import { APPEND_OUTCOME, type Appendable, NO_COVERAGE } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { expect, it } from 'vitest';
import { DEFAULT_GLOBAL_SCRAPE, ScrapeManager, scrapeConfigs } from './index.ts';

/** Counts what arrives, by metric name. */
class Tally implements Appendable {
  readonly values = new Map<string, number>();
  /** By ref; none is 0. */
  readonly #names = [''];

  appender(): ReturnType<Appendable['appender']> {
    const names = this.#names;
    return {
      series: (labels) => names.push(labels.metricName) - 1,
      appendFloats: (refs, _times, values, _starts, count, outcomes) => {
        for (let i = 0; i < count; i++) {
          outcomes[i] = APPEND_OUTCOME.ok;
          this.values.set(names[refs[i]!]!, values[i]!);
        }
        return count;
      },
      appendHistogram: () => APPEND_OUTCOME.ok,
      appendExemplar: () => {},
      setMetadata: () => {},
      commit: async () => {},
      rollback: () => {},
    };
  }
}

it('a compressed body over real sockets is scraped, and one over the limit is refused', async () => {
  const env = nodeEnv();
  const text = `${'# HELP filler text\n'.repeat(200)}m 42\n`;
  const seen: HttpRequest[] = [];
  const listener: Listener = await env.net.serveHttp(
    { at: { host: '127.0.0.1', port: 0 }, maxConnections: 8, readTimeoutMs: 5_000 },
    async (request) => {
      seen.push(request);
      const headers = { 'content-type': 'text/plain', 'content-encoding': 'gzip' };
      return { status: 200, headers, body: gzipSync(text) };
    },
  );
  const database = new Tally();
  const address = `127.0.0.1:${listener.address.port}`;
  const yaml = `
- {job_name: good, scrape_interval: 100ms, static_configs: [{targets: ["${address}"]}]}
- {job_name: small, scrape_interval: 100ms, body_size_limit: 1KB, static_configs: [{targets: ["${address}"]}]}
`;
  const jobs = scrapeConfigs(DEFAULT_GLOBAL_SCRAPE)(parseYaml(yaml, 'c'), '', strictContext());
  const manager = new ScrapeManager({
    env,
    log: Log.silent(),
    registry: new Registry(),
    appendable: database,
    coverage: NO_COVERAGE,
    version: '3.0.0',
    variables: {},
  });
  try {
    manager.prepare({ jobs, seed: 1n, resolvePath: (name) => name }).commit();
    manager.start();
    await expect
      .poll(() =>
        manager.targets().activeTargets.map(({ health, lastError }) => [health, lastError]),
      )
      .toEqual([
        ['up', ''],
        ['down', 'body size limit exceeded'],
      ]);
    expect(database.values.get('m')).toBe(42);
    expect(seen[0]!.headers['accept-encoding']).toBe('gzip');
    expect(seen[0]!.principal).toEqual(EVERYONE);
  } finally {
    await manager.close();
    await listener.close(0);
  }
});
