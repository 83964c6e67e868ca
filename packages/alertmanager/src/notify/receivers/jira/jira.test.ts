import { afterEach, describe, expect, it } from 'vitest';
import { TestNode } from '../../../testing/world.ts';

let node: TestNode | null = null;
afterEach(async () => {
  await node?.close();
  node?.removeDirectory();
  node = null;
});

type Issue = { status: 'new' | 'done' };

/** A double of Jira with one project: search by JQL's categories, issues, transitions. */
function start(settings: string, url = 'http://jira/rest/api/2') {
  node = new TestNode({
    config: `
route: {receiver: r, group_wait: 1s, group_by: [alertname], group_interval: 1m}
receivers: [{name: r, jira_configs: [{api_url: '${url}', project: OPS, issue_type: Bug, summary: s, description: d, priority: '', ${settings}}]}]
`,
  });
  const world = node;
  const asked: string[] = [];
  const bodies: unknown[] = [];
  const jira: { issue: Issue | null } = { issue: null };
  world.net.endpoint = ({ method, url: address, body }) => {
    const path = new URL(address).pathname.replace('/rest/api/2', '');
    asked.push(`${method} ${path}`);
    bodies.push(body === '' ? null : JSON.parse(body));
    const { issue } = jira;
    if (path.includes('/search')) {
      const { jql } = JSON.parse(body) as { jql: string };
      const isFound =
        issue !== null && (issue.status !== 'done' || !jql.includes('statusCategory != Done'));
      const found = {
        key: 'OPS-1',
        fields: { status: { statusCategory: { key: issue?.status } } },
      };
      return { status: 200, body: JSON.stringify({ issues: isFound ? [found] : [] }) };
    }
    if (path === '/issue') jira.issue = { status: 'new' };
    if (path.endsWith('/transitions') && method === 'GET') {
      return {
        status: 200,
        body: '{"transitions":[{"id":"11","name":"Close"},{"id":"12","name":"Reopen"}]}',
      };
    }
    if (path.endsWith('/transitions') && issue !== null) {
      issue.status = body.includes('11') ? 'done' : 'new';
    }
    return { status: 204, body: '' };
  };
  return { world, asked, bodies, jira };
}

describe('Jira', () => {
  it('opens an issue, closes it by a transition, opens it again', async () => {
    const { world, asked, bodies, jira } = start(
      'resolve_transition: Close, reopen_transition: Reopen, reopen_duration: 1h, wont_fix_resolution: "Won\'t \\"fix\\""',
    );
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 30 });
    await world.advance(100);
    expect(jira.issue?.status).toBe('done');
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 600 });
    await world.advance(100);
    expect(jira.issue?.status).toBe('new');
    expect(asked).toEqual([
      'POST /search',
      'POST /issue',
      'POST /search',
      'PUT /issue/OPS-1',
      'GET /issue/OPS-1/transitions',
      'POST /issue/OPS-1/transitions',
      'POST /search',
      'PUT /issue/OPS-1',
      'GET /issue/OPS-1/transitions',
      'POST /issue/OPS-1/transitions',
    ]);
    const jql = bodies.map((body) => (body as { jql?: string } | null)?.jql).filter(Boolean);
    expect(jql[0]).toMatch(
      /^\(resolution is EMPTY or resolution != "Won't \\"fix\\""\) and \(resolutiondate is EMPTY OR resolutiondate >= -60m\) and project="OPS" and labels="ALERT\{[0-9a-f]{64}\}" order by status ASC,resolutiondate DESC$/,
    );
    expect(jql[1]).toContain('and statusCategory != Done and project=');
  });

  it('opens no issue for what is over, and changes only what it may', async () => {
    const { world, asked, bodies, jira } = start('labels: []');
    world.applyConfig(
      world.configText.replace('summary: s', 'summary: {template: s, enable_update: false}'),
    );
    jira.issue = { status: 'new' };
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(10);
    expect(asked).toEqual(['POST /search', 'PUT /issue/OPS-1']);
    const { fields } = bodies[1] as { fields: Record<string, unknown> };
    expect(fields).not.toHaveProperty('summary');
    expect(fields).toHaveProperty('description', 'd');
    jira.issue = null;
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 20 });
    await world.advance(100);
    expect(asked.filter((line) => line === 'POST /issue')).toEqual([]);
  });

  it('in the cloud is searched by its own address, and wants documents as descriptions', async () => {
    const { world, asked } = start('labels: []', 'http://x.atlassian.net/rest/api/3');
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 3600 });
    await world.advance(10);
    expect(asked).toEqual(['POST /rest/api/3/search/jql']);
    expect(await world.results()).toMatchObject([
      { result: 'failed', error: expect.stringContaining('invalid JSON for API v3') },
    ]);
  });

  it('without the transition that is asked for fails and names it', async () => {
    const { world } = start('resolve_transition: Gone');
    await world.fire({ labels: { alertname: 'Down' }, endsIn: 30 });
    await world.advance(100);
    expect((await world.results()).at(-1)).toMatchObject({
      result: 'failed',
      error: expect.stringContaining("can't find transition Gone for issue OPS-1"),
    });
  });
});
