import { type Env, errorText } from '@pollux/base';
import type { Log, Registry } from '@pollux/telemetry';
import { Spool, SpoolError } from './spool.ts';
import type { SpooledWrite } from './spool-record.ts';
import { SpoolReplayer, type SpoolReplayerOptions } from './spool-replayer.ts';
import type { WriteMetrics } from './write-metrics.ts';

export type SpoolDestination = ReturnType<SpoolReplayerOptions['destination']>;

export type SpoolsOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly metrics: WriteMetrics;
  /** Holds one directory for each member. */
  readonly directory: string;
  /** Where a member is now; null while gateway.yml does not name it. */
  readonly destinationOf: (memberName: string) => SpoolDestination;
  readonly maxBytes: () => number;
};

type MemberSpool = { readonly spool: Spool; readonly replayer: SpoolReplayer };

const DIRECTORY = /^member-(.+)$/;

/** The spools of all members, which outlive reloads of gateway.yml. */
export class Spools {
  readonly #options: SpoolsOptions;
  readonly #byMember = new Map<string, MemberSpool>();

  /** Throws the system's errors, as where there must be no directory. */
  constructor(options: SpoolsOptions) {
    this.#options = options;
    const { env, directory, registry } = options;
    env.files.makeDirectory(directory);
    registry.collect(() => this.#families());
  }

  /** Goes on with what earlier processes left for members that gateway.yml names now. May be called again. */
  start(): void {
    const { env, log, directory, destinationOf } = this.#options;
    for (const name of env.files.list(directory)) {
      const found = DIRECTORY.exec(name)?.[1];
      if (found === undefined) continue;
      const member = decodeURIComponent(found);
      const place = { directory: `${directory}/${name}` };
      if (destinationOf(member) === null) {
        log.warn('a spool waits for a member that gateway.yml does not name', place);
        continue;
      }
      try {
        this.#of(member);
      } catch (error) {
        log.error('a spool cannot be opened', { ...place, err: errorText(error) });
      }
    }
  }

  /** True while a write has to wait for others that the member has still to get. */
  isBehind(memberName: string): boolean {
    return this.#byMember.get(memberName)?.spool.isBehind === true;
  }

  /** Resolves when the write is on the disk; rejects with SpoolError. */
  async append(memberName: string, write: SpooledWrite): Promise<void> {
    let opened: MemberSpool;
    try {
      opened = this.#of(memberName);
    } catch (cause) {
      throw new SpoolError('disk', `no spool can be opened: ${errorText(cause)}`, { cause });
    }
    await opened.spool.append(write);
    this.#options.metrics.spooled.with(memberName).inc();
    opened.replayer.wake();
  }

  async close(): Promise<void> {
    const all = [...this.#byMember.values()];
    await Promise.all(all.map(({ replayer }) => replayer.close()));
    await Promise.all(all.map(({ spool }) => spool.close()));
  }

  #of(memberName: string): MemberSpool {
    const known = this.#byMember.get(memberName);
    if (known !== undefined) return known;
    const { env, log, metrics, directory, destinationOf, maxBytes } = this.#options;
    const spool = new Spool({
      env,
      log,
      directory: `${directory}/member-${encodeURIComponent(memberName)}`,
      maxBytes,
      onDamage: () => metrics.dropped.with(memberName, 'damaged').inc(),
    });
    const destination = (): SpoolDestination => destinationOf(memberName);
    const replayer = new SpoolReplayer({ env, log, metrics, memberName, spool, destination });
    replayer.start();
    const opened = { spool, replayer };
    this.#byMember.set(memberName, opened);
    return opened;
  }

  #families(): ReturnType<Parameters<Registry['collect']>[0]> {
    const nowMs = this.#options.env.clock.now();
    const members = [...this.#byMember];
    const gauge = (name: string, help: string, read: (spool: Spool) => number) => ({
      name,
      help,
      type: 'gauge' as const,
      samples: members.map(([member, { spool }]) => ({
        suffix: '',
        labels: ['member', member],
        value: read(spool),
      })),
    });
    return [
      gauge(
        'pollux_gateway_spool_bytes',
        'Size of what a member has still to get.',
        (spool) => spool.queuedBytes,
      ),
      gauge(
        'pollux_gateway_spool_oldest_seconds',
        'Age of the oldest write that a member has still to get; 0 when there is none.',
        ({ oldestMs }) => (oldestMs === null ? 0 : Math.max(0, nowMs - oldestMs) / 1_000),
      ),
    ];
  }
}
