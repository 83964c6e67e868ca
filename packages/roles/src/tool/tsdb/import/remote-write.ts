import { type Clock, type Env, OperatingError, sleep } from '@pollux/base';
import { parseYaml, strictContext } from '@pollux/config';
import type { Labels } from '@pollux/model';
import {
  Backoff,
  encodeLabels,
  remoteWriteConfig,
  snappyEncode,
  TimeSeriesEncoder,
  WriteClient,
} from '@pollux/remote';
import { type RangeMerge, SampleSorter } from '@pollux/tsdb';
import type { CommandContext } from '../../../command/command.ts';
import { Progress } from '../../../command/progress.ts';
import { readTextFile } from '../../../runtime/read-file.ts';
import { VERSION } from '../../../runtime/role.ts';
import { Intake } from './intake.ts';
import type { SampleSource } from './sample-source.ts';

/**
 * Samples go out in slices of this time, each series by series: a server's head refuses what is an hour behind its newest
 * sample, so series must not run far ahead of each other.
 */
const SLICE_MS = 5 * 60_000;
const MAX_REQUEST_SAMPLES = 10_000;
const MAX_ATTEMPTS = 10;

export type RemoteWriteTarget = {
  readonly url: string;
  /** A file with the client's settings as in a configuration (`basic_auth`, `tls_config` …), or empty. */
  readonly configFile: string;
  /** Where samples are sorted. */
  readonly scratchDirectory: string;
  readonly duplicates: 'first' | 'last';
  readonly signal: AbortSignal;
};

/** Reads a source and writes its samples, sorted by time, to a remote write endpoint. Gives how many were sent. */
export async function importOverRemoteWrite(
  context: CommandContext,
  source: SampleSource,
  target: RemoteWriteTarget,
): Promise<number> {
  const { env } = context;
  const sender = new Sender(env, target);
  const progress = new Progress(context);
  const sorter = new SampleSorter({
    env,
    directory: target.scratchDirectory,
    rangeMs: SLICE_MS,
    duplicates: target.duplicates,
    signal: target.signal,
  });
  const intake = new Intake(context, sorter, progress);
  try {
    await source(intake);
    for (const range of await sorter.finish()) {
      const merge = sorter.merge(range);
      for (let labels = merge.next(); labels !== null; labels = merge.next()) {
        await sender.series(labels, merge);
        progress.at('sending', sender.sent, sorter.samples, () => `${sender.sent} samples`);
      }
      sorter.conflicts += merge.conflicts;
      // Not across slices: a request is taken or refused as a whole.
      await sender.flush();
    }
  } finally {
    progress.clear();
    sorter.close();
  }
  intake.report();
  return sender.sent;
}

class Sender {
  readonly #clock: Clock;
  readonly #client: WriteClient;
  readonly #encoder = new TimeSeriesEncoder();
  readonly #backoff = new Backoff(500, 30_000);
  readonly #signal: AbortSignal;
  #pending = 0;
  sent = 0;

  constructor(env: Env, { url, configFile, signal }: RemoteWriteTarget) {
    this.#clock = env.clock;
    this.#signal = signal;
    const settings = configFile === '' ? '' : readTextFile(env.files, configFile);
    const text = `url: ${JSON.stringify(url)}\n${settings}`;
    const config = remoteWriteConfig(parseYaml(text, configFile), '', strictContext());
    this.#client = new WriteClient(env, config, {
      userAgent: `pollux-tool/${VERSION}`,
      resolvePath: (name) => name,
      variables: {},
    });
  }

  /** Sends the samples of the series that `merge` stands on. */
  async series(labels: Labels, merge: RangeMerge): Promise<void> {
    const fields = encodeLabels(labels);
    for (let batch = merge.read(); batch.count > 0; batch = merge.read()) {
      const rows = { timestampsMs: batch.timestampsMs, words: batch.valueWords };
      this.#encoder.run(fields, rows, 0, batch.count);
      this.#pending += batch.count;
      if (this.#pending >= MAX_REQUEST_SAMPLES) await this.flush();
    }
  }

  /** Sends what is pending; tries again while the server is busy or away. Rejects when it refuses. */
  async flush(): Promise<void> {
    if (this.#pending === 0) return;
    const body = snappyEncode(this.#encoder.bytes());
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#client.send(body, attempt, this.#signal);
      if (outcome.kind === 'sent') break;
      if (outcome.kind === 'refused' || attempt + 1 >= MAX_ATTEMPTS) {
        throw new OperatingError(
          'ROLES.REMOTE_WRITE',
          `${outcome.reason} (${this.sent} samples were taken before)`,
        );
      }
      await sleep(this.#clock, this.#backoff.next(outcome.retryAfterMs), this.#signal);
    }
    this.#backoff.reset();
    this.#encoder.reset();
    this.sent += this.#pending;
    this.#pending = 0;
  }
}
