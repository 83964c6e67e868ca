import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ByteReader, type ByteWriter, type Files, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Log, Registry } from '@pollux/telemetry';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILE_HEAD_BYTES, fileHead, frameOf, scanFrames } from '../frames/frames.ts';
import { DurableMetrics } from './durable-metrics.ts';
import { RecordLog } from './record-log.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pollux-record-log-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** A map of numbers that is remembered. */
class Numbers {
  readonly clock = new VirtualClock();
  readonly registry = new Registry();
  readonly values = new Map<number, number>();
  readonly file: RecordLog;

  constructor(files: Files = new NodeFiles()) {
    this.file = new RecordLog({
      env: { clock: this.clock, files },
      log: new Log({ level: 'error', format: 'logfmt', now: () => 0, write: () => {} }),
      metrics: new DurableMetrics(this.registry),
      directory,
      name: 'numbers',
      kind: 'A',
      take: (reader: ByteReader) => {
        this.values.set(reader.uvarint(), reader.uvarint());
      },
      state: (writer) => this.#state(writer),
    });
    this.file.open();
  }

  set(key: number, value: number): void {
    this.values.set(key, value);
    this.file.append((writer) => {
      writer.uvarint(key);
      writer.uvarint(value);
    });
  }

  count(name: string): number {
    const family = this.registry.gather().find((one) => one.name === name);
    return (family?.samples ?? []).reduce((sum, { value }) => sum + value, 0);
  }

  *#state(writer: ByteWriter): Generator<void, void> {
    for (const [key, value] of this.values) {
      writer.uvarint(key);
      writer.uvarint(value);
      yield;
    }
  }
}

const path = (): string => join(directory, 'numbers');
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Calls of a disk that fail while `isFull`. */
function failing(how: { isFull: boolean }): Files {
  const files = new NodeFiles();
  const guard = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (object, key) => {
        const member: unknown = Reflect.get(object, key, object);
        if (typeof member !== 'function') return member;
        return (...values: unknown[]): unknown => {
          if (how.isFull && ['write', 'replaceFile'].includes(String(key))) {
            throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
          }
          const result: unknown = Reflect.apply(member, object, values);
          return key === 'open' ? guard(result as object) : result;
        };
      },
    });
  return guard(files);
}

describe('a file of records', () => {
  it('has what was appended before the next task, without a sync or a close', async () => {
    const first = new Numbers();
    first.set(1, 10);
    first.set(1, 11);
    await Promise.resolve();
    expect(new Numbers().values).toEqual(new Map([[1, 11]]));
  });

  it('is continued behind its last whole frame, wherever the last write was torn', async () => {
    const first = new Numbers();
    first.set(1, 10);
    await turn();
    const before = readFileSync(path());
    first.set(2, 20);
    await turn();
    const whole = readFileSync(path());
    for (let cut = before.length; cut < whole.length; cut++) {
      writeFileSync(path(), whole.subarray(0, cut));
      const second = new Numbers();
      expect(second.values).toEqual(new Map([[1, 10]]));
      second.set(3, 30);
      await turn();
      expect(new Numbers().values).toEqual(
        new Map([
          [1, 10],
          [3, 30],
        ]),
      );
      expect(second.count('pollux_alertmanager_durable_damaged_bytes_total')).toBe(0);
    }
  });

  it('passes over damage in its middle, counts it and is written anew', async () => {
    const first = new Numbers();
    for (const key of [1, 2, 3]) {
      first.set(key, key * 10);
      await turn();
    }
    const data = readFileSync(path());
    const middle = FILE_HEAD_BYTES + 14 + 7;
    data[middle] = data[middle]! ^ 0xff;
    writeFileSync(path(), data);
    const second = new Numbers();
    expect([...second.values.keys()]).toEqual([1, 3]);
    expect(second.count('pollux_alertmanager_durable_damaged_bytes_total')).toBeGreaterThan(0);
    await second.file.idle();
    expect(scanFrames(readFileSync(path())).damagedBytes).toBe(0);
    expect([...new Numbers().values.keys()]).toEqual([1, 3]);
  });

  it('that is none is put aside, and a new one begun', async () => {
    writeFileSync(path(), 'not at all what was expected here');
    const numbers = new Numbers();
    expect(numbers.values.size).toBe(0);
    expect(readFileSync(`${path()}.damaged`, 'utf8')).toContain('not at all');
    numbers.set(1, 1);
    await turn();
    expect(new Numbers().values.size).toBe(1);
  });

  it('stays as small as its state, however often that changes, and loses nothing meanwhile', async () => {
    const numbers = new Numbers();
    for (let round = 0; round < 110; round++) {
      for (let key = 0; key < 20_000; key++) numbers.set(key, 2 ** 40 + round * 1_000 + key);
      await turn();
    }
    await numbers.file.idle();
    expect(numbers.count('pollux_alertmanager_durable_rewrites_total')).toBeGreaterThan(0);
    expect(statSync(path()).size).toBeLessThan(8 * 1024 * 1024);
    expect(new Numbers().values).toEqual(numbers.values);
    await numbers.file.close();
  });

  it.each([
    ['its state has grown as much', 20 * 1024 * 1024, 0],
    ['nearly all of it is outdated', 1024, 1],
  ])('of 20 MB is written anew only for what is outdated: %s', async (_, neededBytes, rewrites) => {
    const registry = new Registry();
    const text = 'x'.repeat(1024);
    const file = new RecordLog({
      env: { clock: new VirtualClock(), files: new NodeFiles() },
      log: Log.silent(),
      metrics: new DurableMetrics(registry),
      directory,
      name: 'texts',
      kind: 'A',
      take: (reader) => reader.uvarintText(),
      *state(writer) {
        writer.uvarintText(text);
        yield;
      },
      neededBytes: () => neededBytes,
    });
    file.open();
    for (let i = 0; i < 20_000; i++) {
      expect(file.append((writer) => writer.uvarintText(text))).toBe(1026);
      if (i % 1_000 === 0) await turn();
    }
    await file.idle();
    const family = registry
      .gather()
      .find(({ name }) => name === 'pollux_alertmanager_durable_rewrites_total');
    expect(family?.samples.reduce((sum, { value }) => sum + value, 0) ?? 0).toBe(rewrites);
    await file.close();
  });

  it('takes the whole state when a full disk has room again; nobody is kept from working', async () => {
    const how = { isFull: false };
    const numbers = new Numbers(failing(how));
    numbers.set(1, 1);
    await turn();
    how.isFull = true;
    numbers.set(2, 2);
    await turn();
    await numbers.clock.advance(11_000);
    numbers.set(3, 3);
    await turn();
    expect(numbers.count('pollux_alertmanager_durable_failures_total')).toBeGreaterThan(1);
    expect([...new Numbers().values.keys()]).toEqual([1]);
    how.isFull = false;
    await numbers.clock.advance(6_000);
    await numbers.file.idle();
    expect([...new Numbers().values.keys()].sort()).toEqual([1, 2, 3]);
  });

  it('of any bytes is read without an error', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 30 }),
            fc
              .uint8Array({ minLength: 1, maxLength: 10 })
              .map((payload) => frameOf(payload).slice()),
          ),
          { maxLength: 8 },
        ),
        (parts) => {
          writeFileSync(path(), Buffer.concat([fileHead('A'), ...parts]));
          const { payloads } = scanFrames(readFileSync(path()));
          expect(payloads.length).toBeLessThanOrEqual(parts.length);
          new Numbers();
        },
      ),
      { numRuns: 100 },
    );
  });
});
