import type { HttpClientRequest, HttpClientResponse, Net } from '@pollux/base';
import { expect, it } from 'vitest';
import { Upstream } from '../upstream.ts';
import { MemberReadError } from './member-read-error.ts';
import { settingsOfAny } from './member-settings.ts';

function member(name: string): Upstream {
  const upstream = new Upstream(name, `http://${name}`);
  upstream.markUp(1);
  return upstream;
}

function how(request: (asked: HttpClientRequest) => Promise<HttpClientResponse>) {
  const { signal } = new AbortController();
  return { net: { request } as Partial<Net> as Net, headers: {}, timeoutMs: 1_000, signal };
}

it('labels that all servers have alike are those of the first that shows them', async () => {
  const asked: string[] = [];
  const settings = settingsOfAny(
    [member('a'), member('b'), member('c')],
    how(async ({ url }) => {
      asked.push(new URL(url).hostname);
      const answer = { data: { yaml: 'global: {external_labels: {site: x}}' } };
      const isAble = url.startsWith('http://b');
      return {
        status: isAble ? 200 : 500,
        headers: {},
        body: new TextEncoder().encode(JSON.stringify(answer)),
      };
    }),
  );
  expect((await settings).externalLabels.toObject()).toEqual({ site: 'x' });
  expect(asked).toEqual(['a', 'b']);
});

it('rejects when none shows them, or none is there', async () => {
  const refusing = how(async () => ({ status: 500, headers: {}, body: new Uint8Array() }));
  await expect(settingsOfAny([member('a'), member('b')], refusing)).rejects.toThrow(
    MemberReadError,
  );
  await expect(settingsOfAny([], refusing)).rejects.toThrow('no server tells');
});
