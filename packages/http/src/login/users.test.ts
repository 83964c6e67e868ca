import bcrypt from 'bcryptjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Users } from './users.ts';

/** Each of "secret", bcrypt with two costs. */
const CHEAP = '$2b$04$oEe4qtnDLM.3jUijsa4tgOcIPd0PeNqmCpKNXkMjKZeiFLblVLSam';
const DEAR = bcrypt.hashSync('secret', 5);
const MD5 = '$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0';
const SHA1 = '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=';

const login = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

afterEach(() => vi.restoreAllMocks());

describe('users', () => {
  it('are found by their passwords, whatever the form of the hash', async () => {
    const users = new Users(new Map(Object.entries({ b: CHEAP, m: MD5, s: SHA1 })));
    for (const name of ['b', 'm', 's']) {
      expect(await users.find(login(`${name}:secret`))).toBe(name);
      expect(await users.find(login(`${name}:secreT`))).toBeNull();
    }
    for (const header of [undefined, '', 'Basic', 'Basic ??', login('b'), 'Bearer c2VjcmV0']) {
      expect(await users.find(header)).toBeNull();
    }
  });

  it('who are not there are refused behind the work that one who is there would cost, and with nobody’s password', async () => {
    const users = new Users(new Map(Object.entries({ a: CHEAP, b: DEAR })));
    const compare = vi.spyOn(bcrypt, 'compare');
    const hashesOf = async (name: string): Promise<unknown[]> => {
      compare.mockClear();
      expect(await users.find(login(`${name}:secret`))).toBeNull();
      return compare.mock.calls.map(([, hash]) => hash);
    };
    const drawn = new Set<unknown>();
    for (let i = 0; i < 40; i++) {
      const hashes = await hashesOf(`nobody${i}`);
      expect(hashes).toHaveLength(1);
      // The next request of that name takes as long: else two requests would tell.
      expect(await hashesOf(`nobody${i}`)).toEqual(hashes);
      drawn.add(hashes[0]);
    }
    expect(drawn).toEqual(new Set([CHEAP, DEAR]));
  });

  it('who came in before do not pay for bcrypt again, until they send another password', async () => {
    const users = new Users(new Map([['a', CHEAP]]));
    const compare = vi.spyOn(bcrypt, 'compare');
    for (let i = 0; i < 3; i++) expect(await users.find(login('a:secret'))).toBe('a');
    expect(compare).toHaveBeenCalledTimes(1);
    expect(await users.find(login('a:other'))).toBeNull();
    expect(compare).toHaveBeenCalledTimes(2);
  });

  it('are told to come again when too many passwords wait, and one password is looked at after the other', async () => {
    const users = new Users(new Map([['a', CHEAP]]));
    let running = 0;
    let atOnce = 0;
    const answers: ((isRight: boolean) => void)[] = [];
    vi.spyOn(bcrypt, 'compare').mockImplementation(() => {
      atOnce = Math.max(atOnce, ++running);
      return new Promise<boolean>((resolve) => {
        answers.push((isRight) => {
          running--;
          resolve(isRight);
        });
      });
    });
    const asked = Array.from({ length: 33 }, (_, i) => users.find(login(`a:${i}`)));
    await expect(asked[32]).rejects.toThrow('32 passwords wait to be looked at');
    const answered = Promise.all(asked.slice(0, 32));
    for (let i = 0; i < 32; i++) {
      await vi.waitFor(() => expect(answers).toHaveLength(i + 1));
      answers[i]?.(i === 31);
    }
    expect((await answered).filter((name) => name !== null)).toEqual(['a']);
    expect(atOnce).toBe(1);
  });
});
