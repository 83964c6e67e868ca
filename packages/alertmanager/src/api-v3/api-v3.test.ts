import { expect, it } from 'vitest';
import { TestNode } from '../testing/world.ts';

it('refuses paths and methods that it has not, in its own form', async () => {
  const node = new TestNode({ config: 'route: {receiver: r}\nreceivers: [{name: r}]\n' });
  const ask = async (method: string, path: string) => {
    const { status, json } = await node.request(method, `/api/v3${path}`);
    return [status, (json as { error: { code: string } }).error.code];
  };
  expect(await ask('GET', '/nosuch')).toEqual([404, 'ALERTMANAGER.NOT_FOUND']);
  expect(await ask('POST', '/acknowledgements/x/y')).toEqual([404, 'ALERTMANAGER.NOT_FOUND']);
  expect(await ask('PUT', '/explain')).toEqual([405, 'ALERTMANAGER.BAD_METHOD']);
  expect(await ask('POST', '/acknowledgements/x')).toEqual([405, 'ALERTMANAGER.BAD_METHOD']);
  expect(await ask('GET', '/receivers/r/test')).toEqual([405, 'ALERTMANAGER.BAD_METHOD']);
  await node.close();
  node.removeDirectory();
});
