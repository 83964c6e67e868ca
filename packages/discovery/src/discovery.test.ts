import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Env,
  type HttpClientRequest,
  type HttpClientResponse,
  OperatingError,
  SeededRandom,
  VirtualClock,
} from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { object, parseYaml, strictContext } from '@pollux/config';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type DiscoveredTargets,
  DiscoveryManager,
  discoveryFields,
  type ProviderSpec,
  providersOf,
} from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'discovery-'));
});
afterEach(() => {
  world?.manager.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Files without a watch of the system: the test tells of changes itself. */
class WatchedFiles extends NodeFiles {
  readonly watchers = new Map<string, () => void>();
  override watch(path: string, onChange: () => void): () => void {
    this.watchers.set(path, onChange);
    return () => this.watchers.delete(path);
  }
}

class World {
  readonly clock = new VirtualClock();
  readonly files = new WatchedFiles();
  readonly registry = new Registry();
  readonly updates: DiscoveredTargets[] = [];
  readonly requests: HttpClientRequest[] = [];
  answer: Partial<HttpClientResponse> | Error = new OperatingError('TEST', 'refused');
  readonly manager: DiscoveryManager;

  constructor() {
    const env = {
      clock: this.clock,
      files: this.files,
      random: new SeededRandom(1),
      net: { request: (request: HttpClientRequest) => this.#request(request) },
      workers: {},
    } as unknown as Env;
    this.manager = new DiscoveryManager({
      env,
      log: Log.silent(),
      registry: this.registry,
      name: 'scrape',
      resolvePath: (name) => join(folder, name),
      variables: {},
      onUpdate: (targets) => this.updates.push(targets),
    });
  }

  async #request(request: HttpClientRequest): Promise<HttpClientResponse> {
    this.requests.push(request);
    if (this.answer instanceof Error) throw this.answer;
    return { status: 200, headers: {}, body: new Uint8Array(0), ...this.answer };
  }

  load(sets: Record<string, string>): void {
    const decoded = Object.entries(sets).map(([name, yaml]) => [name, providers(yaml)] as const);
    this.manager.prepare(new Map(decoded)).commit();
  }

  /** Addresses of the set, as last told. */
  addresses(set: string): string[] {
    return (this.updates.at(-1)?.get(set) ?? [])
      .flatMap(({ targets }) => targets.map((target) => target.get('__address__')))
      .sort();
  }

  metrics(): string {
    return renderText(this.registry.gather());
  }
}

let world: World;

function providers(yaml: string): readonly ProviderSpec[] {
  const decoded = object(discoveryFields)(parseYaml(yaml, 'c.yml'), '', strictContext());
  return providersOf(decoded);
}

function begin(sets: Record<string, string>): World {
  world = new World();
  world.load(sets);
  world.manager.start();
  return world;
}

describe('static discovery', () => {
  it('tells its targets at the start', () => {
    begin({ a: 'static_configs: [{targets: ["x:1", "y:1"], labels: {env: prod}}]' });
    expect(world.addresses('a')).toEqual(['x:1', 'y:1']);
    expect(world.updates.at(-1)!.get('a')![0]!.labels.toObject()).toEqual({ env: 'prod' });
    expect(world.metrics()).toContain(
      'prometheus_sd_discovered_targets{name="scrape",config="a"} 2',
    );
  });
});

describe('file discovery', () => {
  const config = 'file_sd_configs: [{files: ["t/*.yml", one.json], refresh_interval: 1m}]';

  it('reads YAML and JSON, labels them with their path, and follows changes of the folder', async () => {
    mkdirSync(join(folder, 't'));
    writeFileSync(join(folder, 't/a.yml'), '- targets: ["a:1"]\n- targets: ["a:2"]\n');
    writeFileSync(join(folder, 'one.json'), '[{"targets": ["j:1"], "labels": {"k": "v"}}]');
    begin({ a: config });
    expect(world.addresses('a')).toEqual(['a:1', 'a:2', 'j:1']);
    const labels = world.updates
      .at(-1)!
      .get('a')!
      .map((group) => group.labels.toObject());
    expect(labels).toContainEqual({ k: 'v', __meta_filepath: join(folder, 'one.json') });

    writeFileSync(join(folder, 't/a.yml'), '- targets: ["a:3"]\n');
    writeFileSync(join(folder, 't/b.yml'), '- targets: ["b:1"]\n');
    world.files.watchers.get(join(folder, 't'))!();
    await world.clock.advance(6_000);
    expect(world.addresses('a')).toEqual(['a:3', 'b:1', 'j:1']);

    rmSync(join(folder, 't/b.yml'));
    rmSync(join(folder, 'one.json'));
    await world.clock.advance(70_000);
    expect(world.addresses('a')).toEqual(['a:3']);
  });

  it.each([
    ['broken YAML', '- targets: ["a:1'],
    ['an unknown key', '- target: ["a:1"]'],
    ['a map instead of a list', 'targets: []'],
  ])('keeps the old groups of a file with %s, and counts it', async (_, text) => {
    const path = join(folder, 'one.json');
    writeFileSync(path, '[{"targets": ["j:1"]}]');
    begin({ a: config });
    writeFileSync(path, text);
    await world.clock.advance(70_000);
    expect(world.addresses('a')).toEqual(['j:1']);
    expect(world.metrics()).toMatch(/prometheus_sd_file_read_errors_total [1-9]/);
    writeFileSync(path, '[{"targets": ["j:2"]}]');
    await world.clock.advance(70_000);
    expect(world.addresses('a')).toEqual(['j:2']);
  });
});

describe('HTTP discovery', () => {
  const config = 'http_sd_configs: [{url: "http://sd/", refresh_interval: 30s}]';
  const json = (body: string): Partial<HttpClientResponse> => ({
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: new TextEncoder().encode(body),
  });

  it('asks every interval, and keeps what it has while the endpoint fails', async () => {
    begin({ a: config });
    world.answer = json('[{"targets": ["h:1"]}, {"targets": ["h:2"]}]');
    await world.clock.advance(35_000);
    expect(world.addresses('a')).toEqual(['h:1', 'h:2']);
    for (const fault of [
      new OperatingError('T', 'down'),
      { status: 500 },
      json('{'),
      { ...json('[]'), headers: {} },
    ]) {
      world.answer = fault;
      await world.clock.advance(30_000);
      expect(world.addresses('a')).toEqual(['h:1', 'h:2']);
    }
    expect(world.metrics()).toContain('prometheus_sd_refresh_failures_total{mechanism="http"} 4');
    world.answer = json('[{"targets": ["h:3"]}]');
    await world.clock.advance(36_000);
    expect(world.addresses('a')).toEqual(['h:3']);
  });

  it('goes through a proxy, with the headers that are configured', async () => {
    begin({
      a: `http_sd_configs: [{url: "http://sd.test/x", proxy_url: "http://proxy:3128", http_headers: {X-Scope: {values: [a]}}}]`,
    });
    world.answer = json('[{"targets": ["h:1"]}]');
    await world.clock.advance(1_000);
    expect(world.addresses('a')).toEqual(['h:1']);
    expect(world.requests[0]).toMatchObject({
      proxy: { url: 'http://proxy:3128' },
      headers: { 'x-scope': 'a' },
    });
  });
});

describe('the manager', () => {
  it('runs one provider for equal configurations and leaves it alone on a reload', async () => {
    begin({
      a: 'http_sd_configs: [{url: "http://sd/"}]',
      b: 'http_sd_configs: [{url: "http://sd/"}]',
    });
    world.answer = {
      headers: { 'content-type': 'application/json' },
      body: new TextEncoder().encode('[{"targets": ["h:1"]}]'),
    };
    await world.clock.advance(61_000);
    expect(world.requests.length).toBe(2);
    await world.clock.advance(6_000);
    expect(world.addresses('b')).toEqual(['h:1']);
    world.load({
      a: 'http_sd_configs: [{url: "http://sd/"}]',
      c: 'static_configs: [{targets: ["s:1"]}]',
    });
    await world.clock.advance(1_000);
    expect(world.requests.length).toBe(2);
    expect(world.addresses('a')).toEqual(['h:1']);
    expect(world.addresses('c')).toEqual(['s:1']);
    expect([...world.updates.at(-1)!.keys()]).toEqual(['a', 'c']);
    world.load({});
    await world.clock.advance(120_000);
    expect(world.requests.length).toBe(2);
  });

  it('holds updates that follow each other quickly back to one in five seconds', async () => {
    const path = join(folder, 'one.json');
    writeFileSync(path, '[{"targets": ["j:0"]}]');
    begin({ a: 'file_sd_configs: [{files: [one.json]}]' });
    await world.clock.advance(1_000);
    const before = world.updates.length;
    for (let i = 1; i <= 40; i++) {
      writeFileSync(path, `[{"targets": ["j:${i}"]}]`);
      world.files.watchers.get(folder)!();
      await world.clock.advance(250);
    }
    await world.clock.advance(5_000);
    expect(world.updates.length - before).toBeLessThanOrEqual(4);
    expect(world.addresses('a')).toEqual(['j:40']);
  });

  it('keeps the targets of an edited provider until the new one answers', async () => {
    begin({ a: 'http_sd_configs: [{url: "http://sd/"}]' });
    world.answer = {
      headers: { 'content-type': 'application/json' },
      body: new TextEncoder().encode('[{"targets": ["h:1"]}]'),
    };
    await world.clock.advance(66_000);
    world.answer = new OperatingError('TEST', 'down');
    world.load({ a: 'http_sd_configs: [{url: "http://sd2/"}]' });
    await world.clock.advance(30_000);
    expect(world.addresses('a')).toEqual(['h:1']);
    world.answer = {
      headers: { 'content-type': 'application/json' },
      body: new TextEncoder().encode('[{"targets": ["h:2"]}]'),
    };
    await world.clock.advance(66_000);
    expect(world.addresses('a')).toEqual(['h:2']);
    world.load({ a: 'static_configs: [{targets: ["s:1"]}]' });
    expect(world.addresses('a')).toEqual(['s:1']);
  });

  it('refuses mechanisms that are not served by their name', () => {
    expect(() => providers('kubernetes_sd_configs: [{role: pod}]')).toThrow(
      'c.yml:1:24: kubernetes_sd_configs: kubernetes_sd_configs is not supported yet',
    );
    expect(() => providers('consult_sd_configs: []')).toThrow('unknown field "consult_sd_configs"');
  });
});
