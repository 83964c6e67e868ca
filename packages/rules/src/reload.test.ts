import { describe, expect, it } from 'vitest';
import { World } from './testing/world.ts';

const group = (name: string, rules: string): string => `
  - name: ${name}
    rules:
${rules}`;
const alert = (hold: string): string => `      - {alert: Down, expr: up, for: ${hold}}\n`;
const record = (name: string): string => `      - {record: ${name}, expr: e}\n`;

async function running(yaml: string): Promise<World> {
  const world = new World();
  world.answers.set('up', () => [[{ instance: 'a' }, 1]]);
  world.answers.set('e', () => [[{}, 1]]);
  await world.load(yaml);
  world.manager.start();
  await world.clock.advance(45_000);
  return world;
}

describe('a reload', () => {
  it('leaves unchanged groups running as they are', async () => {
    const yaml = `groups:${group('g', alert('1h'))}`;
    const world = await running(yaml);
    const before = world.manager.alerts()[0]!.activeAtMs;
    const count = world.evaluations.length;
    await world.load(yaml);
    await world.clock.advance(10_000);
    expect(world.manager.alerts()[0]!.activeAtMs).toBe(before);
    // No evaluation was left out and none was done twice.
    expect(world.evaluations.length).toBe(count + 1);
    expect(world.coverage.filter((line) => line.startsWith('open'))).toHaveLength(1);
  });

  it('hands the alerts of a changed group to its successor', async () => {
    const world = await running(`groups:${group('g', alert('1h'))}`);
    const before = world.manager.alerts()[0]!.activeAtMs;
    await world.load(`groups:${group('g', alert('30s') + record('x'))}`);
    expect(world.manager.alerts()[0]!.activeAtMs).toBe(before);
    await world.clock.advance(20_000);
    expect(world.manager.alerts()[0]!).toMatchObject({ state: 'firing', activeAtMs: before });
    expect(world.sent[0]!.alert.labels.get('alertname')).toBe('Down');
  });

  it('closes the schedule of a changed group before it opens the new one', async () => {
    const world = await running(`groups:${group('g', record('x'))}`);
    await world.load(
      `groups:${group('g', record('x')).replace('rules:', 'interval: 1m\n    rules:')}`,
    );
    const changes = world.coverage.filter((line) => /^(?:open|close)/.test(line));
    expect(changes.map((line) => line.split(' ')[0])).toEqual(['open', 'close', 'open']);
    expect(changes[2]).toMatch(/ 60000$/);
  });

  it('ends the series of a rule that a changed group lost', async () => {
    const world = await running(`groups:${group('g', record('x') + record('y'))}`);
    await world.load(`groups:${group('g', record('x'))}`);
    await world.clock.advance(20_000);
    expect(world.storage.samples({ __name__: 'y' }).at(-1)).toMatch(/stale$/);
    expect(world.storage.samples({ __name__: 'x' }).at(-1)).toMatch(/: 1$/);
  });

  it('ends the series of a removed group after two intervals, unless a renamed one writes them', async () => {
    const world = await running(
      `groups:${group('old', record('moved'))}${group('gone', record('lost'))}`,
    );
    await world.load(`groups:${group('new', record('moved'))}`);
    await world.clock.advance(12_000);
    expect(world.storage.samples({ __name__: 'lost' }).at(-1)).toMatch(/: 1$/);
    await world.clock.advance(30_000);
    expect(world.storage.samples({ __name__: 'lost' }).at(-1)).toMatch(/stale$/);
    expect(world.storage.samples({ __name__: 'moved' }).some((s) => s.endsWith('stale'))).toBe(
      false,
    );
    expect(world.coverage.filter((line) => line.startsWith('close')).sort()).toEqual([
      'close group//rules.yml;gone',
      'close group//rules.yml;old',
    ]);
    expect(world.metrics('prometheus_rule_group_rules')).toEqual([
      'prometheus_rule_group_rules{rule_group="/rules.yml;new"} 1',
    ]);
  });

  it('with one broken file names the place and changes nothing', async () => {
    const world = await running(`groups:${group('g', alert('1h'))}`);
    world.files['/broken.yml'] =
      'groups:\n  - name: h\n    rules:\n      - record: "a b{"\n        expr: 1\n';
    const config = { ...world.config(), ruleFiles: ['/rules.yml', '/broken.yml'] };
    expect(() => world.manager.prepare(config)).toThrow(
      '/broken.yml:4:9: group "h", rule 1, "a b{": braces present in the recording rule name; should it be in expr?',
    );
    await world.clock.advance(10_000);
    expect(world.manager.groups().map(({ name }) => name)).toEqual(['g']);
    expect(world.manager.alerts()).toHaveLength(1);
  });

  it('before the restore still restores afterwards', async () => {
    const world = new World();
    world.answers.set('up', () => [[{ instance: 'a' }, 1]]);
    const labels = { __name__: 'ALERTS_FOR_STATE', alertname: 'Down', instance: 'a' };
    const downMs = world.clock.now() - 60_000;
    world.storage.put(labels, downMs, Math.floor(downMs / 1000) - 3_600);
    await world.load(`groups:${group('g', alert('30m'))}`);
    world.manager.start();
    await world.clock.advance(11_000);
    await world.load(`groups:${group('g', alert('40m'))}`);
    await world.clock.advance(45_000);
    expect(world.manager.alerts()[0]).toMatchObject({ state: 'firing' });
  });

  it('takes rule files by pattern, sorted, and each once', async () => {
    const world = new World();
    world.files['/d/b.yml'] = 'groups: [{name: b}]';
    world.files['/d/a.yml'] = 'groups: [{name: a}]';
    world.files['/d/a.txt'] = 'not YAML: [';
    const prepared = world.manager.prepare({
      ...world.config(),
      ruleFiles: ['/d/*.yml', '/d/a.yml', '/none/*.yml'],
    });
    await prepared.commit();
    expect(world.manager.groups().map(({ file }) => file)).toEqual(['/d/a.yml', '/d/b.yml']);
    expect(() => world.manager.prepare({ ...world.config(), ruleFiles: ['/missing.yml'] })).toThrow(
      '/missing.yml: rule file does not exist',
    );
  });
});
