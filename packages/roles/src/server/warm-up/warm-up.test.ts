import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { type Address, type TcpConnection, VirtualClock } from '@pollux/base';
import { lockDirectory, NodeNet, nodeEnv } from '@pollux/base/node';
import { Log, Registry, renderText } from '@pollux/telemetry';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseFlags } from '../../flags/flags.ts';
import type { OwnProcess, RunningRole } from '../../runtime/role.ts';
import { role } from '../index.ts';

/** All passes over some hundred queries in code that has just begun to run, on a busy machine. */
const TIMEOUT_MS = 60_000;
/** Time goes on fast while turns are waited for; closing has time limits, which files and sockets may need. */
const STEP_MS = 20;
const CLOSING_STEP_MS = 0.1;

let directory: string;
let running: RunningRole | null = null;

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pollux-warm-up-'));
});

afterEach(async () => {
  await running?.close();
  running = null;
  fs.rmSync(directory, { recursive: true, force: true });
});

/** The machine's network, on which is heard what is read of connections that were made here. */
class HeardNet extends NodeNet {
  readonly heard: string[] = [];
  /** What somebody else hears who asks at the same address. */
  strange = '';
  isBroken = false;

  override async connectTcp(to: Address, options: { timeoutMs: number }): Promise<TcpConnection> {
    if (this.isBroken) throw new Error('no way');
    const stranger = await super.connectTcp(to, options);
    await stranger.write(Buffer.from('GET /api/v1/rules HTTP/1.1\r\nHost: h\r\n\r\n'));
    this.strange = String(Buffer.from((await stranger.read(options.timeoutMs)) ?? []));
    stranger.close();
    const connection = await super.connectTcp(to, options);
    const read = connection.read.bind(connection);
    connection.read = async (timeoutMs) => {
      const bytes = await read(timeoutMs);
      this.heard.push(bytes === null ? '' : Buffer.from(bytes).toString());
      return bytes;
    };
    return connection;
  }
}

/** A server on a virtual clock, on which it is asked to warm up, and what it has logged and counted by the end. */
async function warmedServer(net: HeardNet, flags: readonly string[] = []) {
  const config = path.join(directory, 'prometheus.yml');
  fs.writeFileSync(config, '');
  const clock = new VirtualClock();
  const lines: string[] = [];
  const write = (line: string): void => {
    lines.push(line);
  };
  const registry = new Registry();
  const context = {
    env: { ...nodeEnv(), net, clock },
    log: new Log({ level: 'debug', format: 'logfmt', now: () => clock.now(), write }),
    registry,
    lock: lockDirectory,
    variables: {},
    hostname: 'h',
  };
  const { values, given } = parseFlags(role.flags, [
    `--config.file=${config}`,
    `--storage.tsdb.path=${path.join(directory, 'data')}`,
    '--web.listen-address=127.0.0.1:0',
    '--storage.fsync=none',
    ...flags,
  ]);
  running = await role.start(context, values, given);
  let collections = 0;
  const idle: OwnProcess = {
    busyMs: () => 0,
    processorMs: () => 0,
    collect: () => {
      collections++;
    },
  };
  let isOver = false;
  void running.warmUp?.(idle).then(() => {
    isOver = true;
  });
  const ownLines = (): string[] => lines.filter((line) => line.includes('component=warm-up'));
  while (!isOver && running.warmUp !== undefined) {
    await clock.advance(ownLines().length > 0 ? CLOSING_STEP_MS : STEP_MS);
  }
  return {
    log: ownLines().join('\n'),
    otherLog: lines.filter((line) => !line.includes('component=warm-up')).join('\n'),
    metrics: renderText(registry.gather()),
    collections,
  };
}

test('made-up queries run after the start and leave nothing behind', {
  timeout: TIMEOUT_MS,
}, async () => {
  const net = new HeardNet();
  const { log, otherLog, metrics, collections } = await warmedServer(net);
  expect(log).toMatch(/msg="made-up queries have run" component=warm-up end=done/);
  expect(otherLog).not.toMatch(/warm-up|made-up/);
  expect(net.strange).toMatch(/^HTTP\/1.1 403 /);
  const answers = net.heard.filter((answer) => answer.startsWith('HTTP/1.1 200'));
  expect(answers.length).toBeGreaterThan(500);
  const empty = answers.filter((answer) => /"(?:data|result)":\[\]/.test(answer));
  // All but what is kept out by `unless`.
  expect(empty.length).toBeLessThan(answers.length / 20);
  expect(fs.readdirSync(path.join(directory, 'data'))).not.toContain('warm-up.tmp');
  expect(metrics).not.toMatch(/prometheus_http_requests_total\{[^}]*handler="\/api\/v1\/query/);
  expect(metrics).toMatch(/^prometheus_tsdb_head_series 0$/m);
  expect(metrics).toMatch(/^pollux_query_workers 0$/m);
  expect(metrics).not.toMatch(
    /^prometheus_engine_query_duration_histogram_seconds_count\{[^}]*\} [1-9]/m,
  );
  expect(collections).toBeGreaterThan(1);
});

test('a server whose made-up queries fail says so and goes on', {
  timeout: TIMEOUT_MS,
}, async () => {
  const net = new HeardNet();
  net.isBroken = true;
  const { log } = await warmedServer(net);
  expect(log).toMatch(/level=WARN msg="made-up queries failed; .*err="no way"/);
  expect(fs.readdirSync(path.join(directory, 'data'))).not.toContain('warm-up.tmp');
});

test('a server that is to have none has none', async () => {
  const net = new HeardNet();
  const { log } = await warmedServer(net, ['--no-query.warm-up']);
  expect(log).toBe('');
  expect(net.heard).toEqual([]);
});
