import { type Env, InlineWorkers, OperatingError, SeededRandom } from '@pollux/base';
import { MemoryBudget, type ReadContext } from '@pollux/storage';
import { Log } from '@pollux/telemetry';
import { SimDisk } from '../disk/sim-disk.ts';
import { HeldClock } from './held-clock.ts';
import { SampleLedger } from './sample-ledger.ts';

/** What a database under test lives in. */
export type FaultWorld = {
  /** Another one after each {@link restart}. */
  readonly env: Env;
  readonly clock: HeldClock;
  readonly disk: SimDisk;
  /** What was written, and what may be answered. */
  readonly ledger: SampleLedger;
  readonly log: Log;
  /** What was logged and not yet taken away. */
  readonly lines: string[];
  /** As {@link SimDisk.restart}; who ran before must not be used any more. */
  restart(survives: 'none' | 'some' | 'all'): void;
  readContext(): ReadContext;
};

const START_MS = 1_700_006_400_000;

export function faultWorld(seed: number): FaultWorld {
  const clock = new HeldClock(START_MS);
  const disk = new SimDisk(clock, seed);
  const lines: string[] = [];
  const log = new Log({
    level: 'info',
    format: 'logfmt',
    now: () => 0,
    write: (line) => lines.push(line),
  });
  let env = envOf(disk, clock, seed);
  return {
    get env() {
      return env;
    },
    clock,
    disk,
    ledger: new SampleLedger(),
    log,
    lines,
    restart: (survives) => {
      disk.restart(survives);
      env = envOf(disk, clock, disk.operations);
    },
    readContext: () => ({
      signal: new AbortController().signal,
      budget: MemoryBudget.unlimited(),
    }),
  };
}

function envOf(disk: SimDisk, clock: HeldClock, seed: number): Env {
  const refuse = (): never => {
    throw new OperatingError('SIM.NO_NETWORK', 'there is no network here');
  };
  const absent = new Proxy({}, { get: () => refuse });
  const world = { clock, random: new SeededRandom(seed), files: disk.files };
  return { ...world, net: absent as Env['net'], workers: new InlineWorkers(world) };
}
