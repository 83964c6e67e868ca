import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type File, type Files, VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Labels, Matcher } from '@pollux/model';
import { Log, Registry } from '@pollux/telemetry';
import { afterEach, describe, expect, it } from 'vitest';
import { type Alert, AlertIdentity } from '../alert/alert.ts';
import { AlertBytes } from '../alert/alert-bytes.ts';
import { Annotations } from '../alert/annotations.ts';
import { alertRecordOf, writeAlertRecord } from './alert-record.ts';
import { History, type HistoryOptions } from './history.ts';
import { EVERYTHING, type HistoryQuery } from './query.ts';
import type { HistoryBody, HistoryRecord } from './record.ts';

const START = Date.parse('2026-01-05T10:00:00Z');
const DAY = 24 * 3_600_000;
const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0))
    rmSync(directory, { recursive: true, force: true });
});

class Bench {
  readonly clock = new VirtualClock(START);
  readonly directory: string;
  readonly registry = new Registry();
  readonly history: History;

  constructor(options: Partial<HistoryOptions> = {}) {
    this.directory = options.directory ?? join(mkdtempSync(join(tmpdir(), 'pollux-history-')), 'h');
    directories.push(join(this.directory, '..'));
    this.history = new History({
      clock: this.clock,
      files: new NodeFiles(),
      log: new Log({ level: 'error', format: 'logfmt', now: () => 0, write: () => {} }),
      registry: this.registry,
      retentionMs: 30 * DAY,
      maxBytes: 64 * 1024 * 1024,
      member: () => 'A',
      ...options,
      directory: this.directory,
    });
  }

  fire(name: string, labels: Record<string, string> = {}): void {
    this.history.add({ kind: 'alert', body: () => fired(name, labels) });
  }

  /** As alerts come by the hundred: as bytes, many to a frame. */
  fireAsBytes(name: string, text = ''): void {
    const alert: Alert = {
      identity: new AlertIdentity(Labels.from({ alertname: name })),
      annotations: Annotations.from([['text', text]]),
      startsAtMs: START,
      endsAtMs: START + DAY,
      updatedAtMs: START,
      generatorUrl: '',
      isTimeout: false,
    };
    const { fingerprint } = alert.identity;
    this.history.add({
      kind: 'alert',
      body: () => ({ kind: 'alert', ...alertRecordOf('fired', fingerprint, alert) }),
      writeAlert: (writer) =>
        writeAlertRecord(writer, 'fired', fingerprint, new AlertBytes().of(alert)),
    });
  }

  /** All records that match, page by page, newest first. */
  async all(query: Partial<HistoryQuery> = {}, limit = 7): Promise<HistoryRecord[]> {
    const found: HistoryRecord[] = [];
    for (let beforeId: number | null = Infinity; beforeId !== null; ) {
      const page = await this.history.search({ ...EVERYTHING, ...query, beforeId }, { limit });
      found.push(...page.records);
      beforeId = page.nextBeforeId;
    }
    return found;
  }

  async names(query: Partial<HistoryQuery> = {}, limit = 7): Promise<string[]> {
    return (await this.all(query, limit)).map((record) =>
      record.kind === 'alert' ? (record.labels.alertname ?? '') : record.kind,
    );
  }

  metric(name: string): number {
    const family = this.registry
      .gather()
      .find((found) => found.name === `pollux_alertmanager_history_${name}`);
    return family!.samples[0]!.value;
  }

  /** Closes this one and opens the same files anew. */
  async reopened(options: Partial<HistoryOptions> = {}): Promise<Bench> {
    await this.history.close();
    const next = new Bench({ ...options, directory: this.directory });
    next.history.start();
    return next;
  }
}

function fired(name: string, labels: Record<string, string> = {}, text = ''): HistoryBody {
  return {
    kind: 'alert',
    change: 'fired',
    fingerprint: `print-${name}`,
    labels: { alertname: name, ...labels },
    annotations: { text },
    startsAt: '',
    endsAt: '',
    generatorURL: '',
  };
}

function sent(receiver: string, result: 'sent' | 'failed', alertname: string): HistoryBody {
  return {
    kind: 'notification',
    receiver,
    integration: 'webhook[0]',
    groupKey: '{}:{}',
    groupLabels: {},
    reason: 'first notification',
    result,
    error: result === 'failed' ? 'status 503 "quoted"' : '',
    attempts: 1,
    durationMs: 5,
    firing: 1,
    resolved: 0,
    alerts: [{ fingerprint: `print-${alertname}`, status: 'firing', labels: { alertname } }],
  };
}

/** Files whose writes fail while `isFull` is set, after half of the bytes are on the disk. */
class FullDisk extends NodeFiles {
  isFull = false;

  override open(path: string, mode: Parameters<Files['open']>[1]): File {
    const file = super.open(path, mode);
    const write: File['write'] = (source, offset, length, position) => {
      if (!this.isFull) return file.write(source, offset, length, position);
      file.write(source, offset, Math.floor(length / 2), position);
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    };
    return new Proxy(file, {
      get: (target, name) => {
        if (name === 'write') return write;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

describe('history', () => {
  it('gives records newest first, page by page, before and after they are on disk and over a restart', async () => {
    const bench = new Bench();
    bench.history.start();
    for (let i = 0; i < 20; i++) bench.fire(`a${i}`);
    const expected = Array.from({ length: 20 }, (_, i) => `a${19 - i}`);
    expect(await bench.names()).toEqual(expected);
    const next = await bench.reopened();
    expect(await next.names()).toEqual(expected);
    next.fire('later');
    expect((await next.names({}, 3)).slice(0, 2)).toEqual(['later', 'a19']);
    const ids = (await next.all()).map(({ id }) => id);
    expect(new Set(ids).size).toBe(21);
  });

  it('finds by kind, time, labels, receiver, result, fingerprint and text', async () => {
    const bench = new Bench();
    bench.history.start();
    bench.fire('one', { team: 'a', path: 'C:\\x' });
    await bench.clock.advance(60_000);
    bench.history.add({ kind: 'notification', body: () => sent('mail', 'sent', 'one') });
    bench.history.add({ kind: 'notification', body: () => sent('chat', 'failed', 'two') });
    await bench.clock.advance(60_000);
    bench.fire('two', { team: 'b' });
    const next = await bench.reopened();
    const count = async (query: Partial<HistoryQuery>): Promise<number> =>
      (await next.all(query)).length;
    const both = async (query: Partial<HistoryQuery>): Promise<string[]> => {
      // The same from memory as from disk.
      const pending = new Bench();
      for (const record of (await next.all()).reverse())
        pending.history.add({ kind: record.kind, body: () => record });
      const names = await next.names(query);
      if (query.fromMs === undefined) expect(await pending.names(query)).toEqual(names);
      return names;
    };
    expect(await both({ kinds: new Set(['alert']) })).toEqual(['two', 'one']);
    expect(await both({ fromMs: START + 60_000, untilMs: START + 60_000 })).toHaveLength(2);
    expect(await both({ matchers: [new Matcher('team', '=', 'a')] })).toEqual(['one']);
    expect(await both({ matchers: [new Matcher('path', '=', 'C:\\x')] })).toEqual(['one']);
    expect(await both({ matchers: [new Matcher('alertname', '=~', 'o.e|x')] })).toEqual([
      'notification',
      'one',
    ]);
    expect(await both({ receiver: 'mail' })).toEqual(['notification']);
    expect(await both({ receiver: 'mai' })).toEqual([]);
    expect(await both({ result: 'failed' })).toEqual(['notification']);
    expect(await both({ fingerprint: 'print-two' })).toEqual(['two', 'notification']);
    expect(await both({ text: '503 "QUOTED"' })).toEqual(['notification']);
    expect(await count({ matchers: [new Matcher('team', '!=', 'a')] })).toBe(3);
  });

  it('cuts a torn end after a crash, keeps all before it and goes on after it', async () => {
    const bench = new Bench();
    bench.history.start();
    for (let i = 0; i < 5; i++) bench.fire(`a${i}`);
    await bench.history.close();
    const [name] = readdirSync(bench.directory);
    const path = join(bench.directory, name!);
    const whole = readFileSync(path);
    for (const cut of [1, 10, 60]) {
      writeFileSync(path, whole);
      truncateSync(path, whole.length - cut);
      const next = new Bench({ directory: bench.directory });
      next.history.start();
      expect(await next.names()).toEqual(['a3', 'a2', 'a1', 'a0']);
      next.fire('new');
      const third = await next.reopened();
      expect(await third.names()).toEqual(['new', 'a3', 'a2', 'a1', 'a0']);
      await third.history.close();
      for (const file of readdirSync(bench.directory)) rmSync(join(bench.directory, file));
    }
  });

  it('cuts at a damaged record, and passes over one in a file that was closed', async () => {
    const bench = new Bench();
    bench.history.start();
    for (let i = 0; i < 3; i++) bench.fire(`a${i}`);
    await bench.history.close();
    const path = join(bench.directory, readdirSync(bench.directory)[0]!);
    const bytes = readFileSync(path);
    bytes[bytes.lastIndexOf('print-a1') + 1] = 0x58;
    writeFileSync(path, bytes);
    const next = new Bench({ directory: bench.directory });
    next.history.start();
    expect(await next.names()).toEqual(['a0']);
  });

  it('loses no more than the torn or damaged frame of alerts that stand together', async () => {
    const bench = new Bench();
    bench.history.start();
    for (let i = 0; i < 20; i++) {
      bench.fireAsBytes(`a${i}`, 'x'.repeat(3_000));
      // A record of another kind, and an alert of another time, stand alone.
      if (i === 10) bench.fire('between');
      if (i === 15) await bench.clock.advance(1);
    }
    const all = (await bench.names()).reverse();
    expect(all).toHaveLength(21);
    expect(all.slice(10, 13)).toEqual(['a10', 'between', 'a11']);
    await bench.history.close();
    const [name] = readdirSync(bench.directory);
    const file = join(bench.directory, name!);
    const whole = readFileSync(file);
    truncateSync(file, whole.length - 1);
    const torn = await new Bench({ directory: bench.directory }).reopened();
    const left = (await torn.names()).reverse();
    expect(left).toEqual(all.slice(0, left.length));
    expect(left.length).toBeGreaterThanOrEqual(15);
    expect(left.length).toBeLessThan(21);
    await torn.history.close();
    const sealed = join(bench.directory, readdirSync(bench.directory)[0]!);
    const bytes = readFileSync(sealed);
    bytes[bytes.indexOf('\x02a7') + 20]! ^= 0xff;
    writeFileSync(sealed, bytes);
    const damaged = (await new Bench({ directory: bench.directory }).reopened()).names();
    const kept = (await damaged).reverse();
    expect(kept).not.toContain('a7');
    expect(kept.length).toBeGreaterThanOrEqual(left.length - 6);
    expect(all.filter((one) => kept.includes(one))).toEqual(kept);
  });

  it('leaves out an alert that is larger than a frame, and none beside it', async () => {
    const bench = new Bench();
    bench.history.start();
    bench.fireAsBytes('before');
    bench.fireAsBytes('huge', 'x'.repeat(300_000));
    bench.fireAsBytes('large', 'x'.repeat(250_000));
    bench.fireAsBytes('after');
    expect(bench.metric('dropped_records_total')).toBe(1);
    expect(await bench.names()).toEqual(['after', 'large', 'before']);
    expect(await (await bench.reopened()).names()).toEqual(['after', 'large', 'before']);
  });

  it('survives files that are garbage or of a later version', async () => {
    const bench = new Bench();
    bench.history.start();
    bench.fire('a');
    await bench.history.close();
    writeFileSync(join(bench.directory, '0000000000000099.log'), Buffer.alloc(1_000, 0xff));
    writeFileSync(join(bench.directory, '0000000000000100-1-2.log'), Buffer.alloc(1_000, 0xff));
    const newer = Buffer.from([0x50, 0x4c, 0x58, 0x48, 2, 0, 0, 0, 1, 2, 3]);
    writeFileSync(join(bench.directory, '0000000000000200.log'), newer);
    writeFileSync(join(bench.directory, 'something else'), 'x');
    const next = new Bench({ directory: bench.directory });
    next.history.start();
    expect(await next.names()).toEqual(['a']);
    next.fire('b');
    expect(await (await next.reopened()).names()).toEqual(['b', 'a']);
    // One of a later version is for the program that wrote it.
    expect(readFileSync(join(bench.directory, '0000000000000200.log'))).toEqual(newer);
  });

  it('is bounded in bytes: the oldest files go first', async () => {
    const maxBytes = 1024 * 1024;
    const bench = new Bench({ maxBytes });
    bench.history.start();
    const text = 'x'.repeat(1_000);
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 100; i++)
        bench.history.add({ kind: 'alert', body: () => fired(`a${round}-${i}`, {}, text) });
      await bench.clock.advance(1_000);
      await bench.names({ receiver: 'nobody' });
    }
    const before = await bench.reopened({ maxBytes });
    await before.clock.advance(61_000);
    const after = await before.reopened({ maxBytes });
    const bytes = readdirSync(bench.directory).reduce(
      (sum, name) => sum + statSync(join(bench.directory, name)).size,
      0,
    );
    expect(bytes).toBeLessThan(maxBytes + 70_000);
    const names = await after.names({}, 1_000);
    expect(names[0]).toBe('a39-99');
    // What is left is whole: the newest of the four thousand without a gap.
    const all = Array.from({ length: 4_000 }, (_, n) => `a${Math.floor(n / 100)}-${n % 100}`);
    expect(names).toEqual(all.slice(-names.length).reverse());
    expect(names.length).toBeGreaterThan(500);
  });

  it('is bounded in time', async () => {
    const bench = new Bench({ retentionMs: DAY, maxBytes: 4 * 1024 * 1024 });
    bench.history.start();
    bench.fire('old');
    const next = await bench.reopened({ retentionMs: DAY });
    await next.clock.advance(2 * DAY);
    next.fire('new');
    await next.clock.advance(61_000);
    expect(await (await next.reopened()).names()).toEqual(['new']);
  });

  it('on a full disk it throws nothing, keeps the newest in memory and writes them once there is room', async () => {
    const files = new FullDisk();
    const bench = new Bench({ files });
    bench.history.start();
    bench.fire('before');
    await until(bench, () => bench.metric('pending_records') === 0);
    files.isFull = true;
    for (let i = 0; i < 10; i++) bench.fire(`a${i}`);
    await until(bench, () => bench.metric('write_failures_total') > 1);
    expect(await bench.names()).toHaveLength(11);
    files.isFull = false;
    await until(bench, () => bench.metric('pending_records') === 0);
    expect(await bench.names()).toHaveLength(11);
    expect(await (await bench.reopened()).names()).toEqual([
      ...Array.from({ length: 10 }, (_, i) => `a${9 - i}`),
      'before',
    ]);
  });

  it('is bounded in memory while the disk takes nothing', async () => {
    const files = new FullDisk();
    files.isFull = true;
    const bench = new Bench({ files });
    bench.history.start();
    for (let i = 0; i < 150_000; i++) bench.history.add({ kind: 'reload', body: () => fired('x') });
    expect(bench.metric('pending_records')).toBeLessThanOrEqual(100_000);
    expect(bench.metric('dropped_records_total')).toBe(150_000 - bench.metric('pending_records'));
  });

  it('keeps the order in which it was told, also of many at once that are made into bytes later', async () => {
    const bench = new Bench();
    bench.fire('a0');
    bench.history.start();
    await until(bench, () => bench.metric('pending_records') === 0);
    const many = Array.from({ length: 3_000 }, (_, i) => `m${i}`);
    bench.fire('a1');
    for (const name of many)
      bench.history.addOneOfMany({ kind: 'alert', body: () => fired(name) }, START);
    bench.fire('a2');
    const expected = ['a2', ...many.reverse(), 'a1', 'a0'];
    expect(await bench.names({}, 1_000)).toEqual(expected);
    await until(bench, () => bench.metric('pending_records') === 0);
    bench.fire('a3');
    expect(await bench.names({}, 1_000)).toEqual(['a3', ...expected]);
    expect(await (await bench.reopened()).names({}, 1_000)).toEqual(['a3', ...expected]);
  });

  it('writes many without waiting, into files of their size, and finds each once while they are closed', async () => {
    const bench = new Bench({ maxBytes: 8 * 1024 * 1024 });
    bench.history.start();
    const text = 'x'.repeat(1_000);
    for (let i = 0; i < 1_000; i++)
      bench.history.add({ kind: 'alert', body: () => fired(`a${i}`, {}, text) });
    const expected = Array.from({ length: 1_000 }, (_, i) => `a${999 - i}`);
    expect(bench.metric('pending_records')).toBeLessThan(200);
    expect(await bench.names({}, 300)).toEqual(expected);
    await until(bench, () => bench.metric('pending_records') === 0);
    const sizes = readdirSync(bench.directory).map(
      (name) => statSync(join(bench.directory, name)).size,
    );
    expect(Math.max(...sizes)).toBeLessThan(2 * 128 * 1024);
    expect(await (await bench.reopened()).names({}, 300)).toEqual(expected);
  });

  it('gives the thread away again and again while it searches', async () => {
    const bench = new Bench();
    bench.history.start();
    const count = 5_000;
    for (let i = 0; i < count; i++) bench.fire(`a${i}`);
    await bench.history.close();
    // A clock by which each look at it takes a tenth of a millisecond: so the test does not depend on the machine.
    let nowMs = 0;
    const clock = new VirtualClock(START);
    clock.monotonic = () => {
      nowMs += 0.1;
      return nowMs;
    };
    const next = new Bench({ directory: bench.directory, clock });
    next.history.start();
    let turns = 0;
    let isOver = false;
    const tick = (): void => {
      turns++;
      if (!isOver) setImmediate(tick);
    };
    setImmediate(tick);
    expect(await next.names({ text: 'nowhere' }, 1_000)).toEqual([]);
    isOver = true;
    // After each five milliseconds of that clock: fifty records.
    expect(turns).toBeGreaterThan(count / 60);
  });

  it('refuses more searches at once than it has room for', async () => {
    const bench = new Bench();
    bench.history.start();
    bench.fire('a');
    await (await bench.reopened()).history.close();
    const next = new Bench({ directory: bench.directory });
    next.history.start();
    const all = await Promise.allSettled(
      Array.from({ length: 6 }, () => next.history.search(EVERYTHING, { limit: 1 })),
    );
    expect(all.map(({ status }) => status)).toEqual([
      ...Array<string>(4).fill('fulfilled'),
      ...Array<string>(2).fill('rejected'),
    ]);
  });
});

/** Lets time pass, and the disk work, which takes no virtual time. */
async function until(bench: Bench, isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isDone(); i++) {
    await bench.clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(isDone()).toBe(true);
}
