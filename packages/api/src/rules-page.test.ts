import { Labels } from '@pollux/model';
import { describe, expect, it } from 'vitest';
import type { RuleGroupView } from './ports.ts';
import { bad, ok } from './testing/bodies.ts';
import { NOW_MS, World } from './testing/world.ts';

describe('the rules page', () => {
  const recording = (name: string, labels: Record<string, string> = {}) => ({
    kind: 'recording' as const,
    name,
    query: 'sum(up) > 1',
    labels: Labels.from(labels),
    health: 'ok' as const,
    lastError: '',
    evaluationSeconds: 0.25,
    lastEvaluationMs: NOW_MS,
  });
  const alerting = {
    ...recording('Down', { severity: 'page' }),
    kind: 'alerting' as const,
    state: 'firing' as const,
    forMs: 90_000,
    keepFiringForMs: 0,
    annotations: Labels.from({ summary: '<b>' }),
    health: 'err' as const,
    lastError: 'a < b',
    alerts: [
      {
        labels: Labels.from({ alertname: 'Down' }),
        annotations: Labels.EMPTY,
        state: 'firing' as const,
        activeAtMs: NOW_MS + 120,
        keepFiringSinceMs: null,
        value: 0.5,
      },
    ],
  };
  const group = (file: string, name: string, rules: RuleGroupView['rules']): RuleGroupView => ({
    file,
    name,
    intervalMs: 15_000,
    limit: 0,
    evaluationSeconds: 0.5,
    lastEvaluationMs: null,
    rules,
  });

  function world(): World {
    const made = new World();
    made.groups.push(
      group('f1', 'g1', [recording('r1', { team: 'x' }), alerting]),
      group('f1', 'g2', [recording('r2')]),
      group('f2', 'g1', [recording('r3')]),
    );
    return made;
  }

  async function names(target: string): Promise<string[]> {
    const { body } = await world().get(target);
    const { data } = JSON.parse(body) as {
      data: { groups: { file: string; name: string; rules: { name: string }[] }[] };
    };
    return data.groups.map((g) => `${g.file}/${g.name}:${g.rules.map((r) => r.name).join()}`);
  }

  it('shows each field as the peer does', async () => {
    const alert =
      '{"labels":{"alertname":"Down"},"annotations":{},"state":"firing","activeAt":"2023-11-14T22:13:20.12Z","value":"5e-01"}';
    const made = world();
    expect((await made.get('/api/v1/rules?rule_name[]=Down')).body).toBe(
      ok(
        `{"groups":[{"name":"g1","file":"f1","rules":[{"state":"firing","name":"Down","query":"sum(up) \\u003e 1","duration":90,"keepFiringFor":0,"labels":{"severity":"page"},"annotations":{"summary":"<b>"},"alerts":[${alert}],"health":"err","lastError":"a \\u003c b","evaluationTime":0.25,"lastEvaluation":"2023-11-14T22:13:20Z","type":"alerting"}],"interval":15,"limit":0,"evaluationTime":0.5,"lastEvaluation":"0001-01-01T00:00:00Z"}]}`,
      ),
    );
    expect((await made.get('/api/v1/rules?rule_name[]=r3')).body).toBe(
      ok(
        '{"groups":[{"name":"g1","file":"f2","rules":[{"name":"r3","query":"sum(up) \\u003e 1","labels":{},"health":"ok","evaluationTime":0.25,"lastEvaluation":"2023-11-14T22:13:20Z","type":"recording"}],"interval":15,"limit":0,"evaluationTime":0.5,"lastEvaluation":"0001-01-01T00:00:00Z"}]}',
      ),
    );
    expect((await made.get('/api/v1/alerts')).body).toBe(ok(`{"alerts":[${alert}]}`));
  });

  it('filters, and leaves out groups that have nothing left', async () => {
    expect(await names('/api/v1/rules')).toEqual(['f1/g1:r1,Down', 'f1/g2:r2', 'f2/g1:r3']);
    expect(await names('/api/v1/rules?type=alert')).toEqual(['f1/g1:Down']);
    expect(await names('/api/v1/rules?type=RECORD&file[]=f1')).toEqual(['f1/g1:r1', 'f1/g2:r2']);
    expect(await names('/api/v1/rules?rule_group[]=g1')).toEqual(['f1/g1:r1,Down', 'f2/g1:r3']);
    expect(await names('/api/v1/rules?match[]={team="x"}&match[]={severity="page"}')).toEqual([
      'f1/g1:r1,Down',
    ]);
    expect((await world().get('/api/v1/rules?exclude_alerts=true')).body).toContain('"alerts":[]');
  });

  it('gives groups in pages, and the token of the next', async () => {
    const made = world();
    const first = JSON.parse((await made.get('/api/v1/rules?group_limit=2')).body);
    expect(first.data.groups).toHaveLength(2);
    expect(first.data.groupNextToken).toMatch(/^[0-9a-f]{64}$/);
    const token = first.data.groupNextToken as string;
    const next = JSON.parse(
      (await made.get(`/api/v1/rules?group_limit=2&group_next_token=${token}`)).body,
    );
    expect(next.data.groups.map((g: { file: string }) => g.file)).toEqual(['f2']);
    expect(next.data).not.toHaveProperty('groupNextToken');
  });

  const REFUSED: readonly (readonly [query: string, error: string])[] = [
    ['type=x', 'invalid parameter "type": not supported value "x"'],
    [
      'exclude_alerts=maybe',
      'invalid parameter "exclude_alerts": error converting exclude_alerts: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [
      'group_limit=x',
      'invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    ['group_limit=0', 'invalid parameter "group_limit": group_limit needs to be greater than 0'],
    [
      'group_next_token=x',
      'invalid parameter "group_next_token": group_limit needs to be present in order to paginate over the groups',
    ],
    [
      'group_limit=1&group_next_token=x',
      `invalid parameter "group_next_token": invalid group_next_token 'x'. were rule groups changed?`,
    ],
    ['match[]=%7B%7D', 'match[] must contain at least one non-empty matcher'],
  ];
  for (const [query, error] of REFUSED) {
    it(`refuses ${query}`, async () => {
      expect(await world().get(`/api/v1/rules?${query}`)).toMatchObject({
        status: 400,
        body: bad(error),
      });
    });
  }
});
