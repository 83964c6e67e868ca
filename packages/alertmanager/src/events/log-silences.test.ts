import { expect, it } from 'vitest';
import { TestNode } from '../testing/world.ts';

it.each([true, false])(
  'changes of silences are in the log where that is asked for: %s',
  async (logsSilences) => {
    const node = new TestNode({
      config: 'route: {receiver: r}\nreceivers: [{name: r}]\n',
      settings: { logsSilences },
    });
    const id = await node.silence(['a=~b.*'], 600);
    await node.request('DELETE', `/api/v2/silence/${id}`);
    const lines = node.logged.filter((line) => line.includes(id));
    expect(lines).toHaveLength(logsSilences ? 2 : 0);
    if (logsSilences) expect(lines[0]).toMatch(/silence created.*a=~.*created_by=tester/);
    await node.close();
    node.removeDirectory();
  },
);
