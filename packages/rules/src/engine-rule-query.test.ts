import { VirtualClock } from '@pollux/base';
import { Labels } from '@pollux/model';
import { Engine } from '@pollux/promql';
import { NO_COVERAGE } from '@pollux/storage';
import { Log, Registry } from '@pollux/telemetry';
import { describe, expect, it } from 'vitest';
import { EngineRuleQuery } from './engine-rule-query.ts';
import { RuleManager } from './manager.ts';
import type { OutgoingAlert } from './outgoing-alert.ts';
import { MemoryStorage } from './testing/memory-storage.ts';
import { memoryFiles, START_MS } from './testing/world.ts';

const RULES = `
groups:
  - name: g
    interval: 10s
    rules:
      - {record: "job:errors:rate30s", expr: "sum by (job) (rate(errors_total[30s]))"}
      - alert: Errors
        expr: job:errors:rate30s > 0.5
        for: 20s
        annotations: {now: '{{ query "sum(errors_total)" | first | value }} at {{ $value | humanize }}/s'}
`;

describe('rules on the real engine', () => {
  it('record, fire on what was recorded, and ask in templates', async () => {
    const clock = new VirtualClock(START_MS);
    const storage = new MemoryStorage();
    const registry = new Registry();
    const log = Log.silent();
    const sent: OutgoingAlert[] = [];
    const manager = new RuleManager({
      env: { clock, files: memoryFiles({ '/r.yml': RULES }) },
      log,
      registry,
      query: new EngineRuleQuery(new Engine({ clock, registry, log }), storage),
      queryable: storage,
      appendable: storage,
      coverage: NO_COVERAGE,
      notifier: { send: (alerts) => sent.push(...alerts) },
      externalUrl: 'http://p',
    });
    for (let second = -60; second <= 120; second += 5) {
      const atMs = START_MS + second * 1000;
      storage.put({ __name__: 'errors_total', job: 'a' }, atMs, 60 + second);
      storage.put({ __name__: 'errors_total', job: 'b' }, atMs, 0);
    }
    await manager
      .prepare({
        ruleFiles: ['/r.yml'],
        evaluationIntervalMs: 10_000,
        queryOffsetMs: 0,
        externalLabels: Labels.EMPTY,
      })
      .commit();
    manager.start();
    await clock.advance(60_000);
    expect(manager.groups()[0]!.rules.map(({ lastError }) => lastError)).toEqual(['', '']);
    expect(manager.alerts().map(({ labels, state }) => [labels.toString(), state])).toEqual([
      ['{alertname="Errors", job="a"}', 'firing'],
    ]);
    expect(sent[0]!.annotations.get('now')).toMatch(/^\d+ at 1\/s$/);
    expect(storage.samples({ __name__: 'job:errors:rate30s', job: 'b' })[0]).toMatch(/: 0$/);
    await manager.close();
  });
});
