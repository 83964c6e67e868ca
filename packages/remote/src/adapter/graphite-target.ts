import { type Address, errorText, type Net, type TcpConnection } from '@pollux/base';
import { type Labels, METRIC_NAME } from '@pollux/model';
import { UnavailableError } from '@pollux/storage';
import { graphiteText } from './escaped-text.ts';
import type { TextTarget } from './text-target.ts';

const MAX_SAID_BYTES = 65_536;

export type GraphiteOptions = {
  readonly net: Net;
  readonly address: Address;
  /** Stands before each path as it is. */
  readonly prefix: string;
  /** For the connection, and again for the carbon to have read all. */
  readonly timeoutMs: number;
};

/**
 * Samples as lines to a carbon, over a connection of its own for each batch: the protocol has no answers, but a carbon that has read to the
 * end of a connection ends it as well, and one that breaks it off has not. Values and times are written with all their digits.
 */
export class GraphiteTarget implements TextTarget {
  readonly name = 'graphite';
  readonly #options: GraphiteOptions;

  constructor(options: GraphiteOptions) {
    this.#options = options;
  }

  /** The name, then `.label.value` for each label in their order. */
  head(labels: Labels): string {
    let path = this.#options.prefix + graphiteText(labels.get(METRIC_NAME));
    for (const [name, value] of labels) {
      if (name !== METRIC_NAME) path += `.${graphiteText(name)}.${graphiteText(value)}`;
    }
    return path;
  }

  sample(head: string, timestampMs: number, value: number): string {
    return `${head} ${value} ${timestampMs / 1_000}\n`;
  }

  async send(samples: string): Promise<void> {
    const { net, address, timeoutMs } = this.#options;
    let connection: TcpConnection | null = null;
    try {
      connection = await net.connectTcp(address, { timeoutMs });
      await deliver(connection, new TextEncoder().encode(samples), timeoutMs);
    } catch (error) {
      throw new UnavailableError(`graphite: ${errorText(error)}`);
    } finally {
      connection?.close();
    }
  }
}

async function deliver(
  connection: TcpConnection,
  bytes: Uint8Array,
  timeoutMs: number,
): Promise<void> {
  let isWritten = false;
  // A carbon that does not read lets the write wait until the read gives up on it, and the caller closes the connection.
  const written = connection.write(bytes).then(() => {
    isWritten = true;
    connection.end?.();
  });
  const ended = untilEnd(connection, timeoutMs).then(() => {
    if (!isWritten) throw new Error('the connection was ended before all was written');
  });
  await Promise.all([written, ended]);
}

/** A carbon says nothing; what others may say is not for us, and not for ever. */
async function untilEnd(connection: TcpConnection, timeoutMs: number): Promise<void> {
  let size = 0;
  for (;;) {
    const said = await connection.read(timeoutMs);
    if (said === null) return;
    size += said.length;
    if (size > MAX_SAID_BYTES) throw new Error('this is no carbon: it talks');
  }
}
