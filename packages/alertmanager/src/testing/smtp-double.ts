import type { Listener, Net, TcpConnection } from '@pollux/base';

export type SmtpDoubleOptions = {
  /** Lines of the answer to EHLO after the first. */
  readonly extensions?: readonly string[];
  /** Answers by the beginning of a command, in place of the usual ones. */
  readonly answers?: Readonly<Record<string, string>>;
};

export type ReceivedMail = { readonly commands: readonly string[]; readonly data: string };

/** A mail server on loopback that keeps what it is given, without TLS. For tests. */
export class SmtpDouble {
  readonly mails: ReceivedMail[] = [];
  /** Of all conversations. */
  readonly commands: string[] = [];
  readonly #options: SmtpDoubleOptions;
  #listener: Listener | null = null;

  constructor(options: SmtpDoubleOptions = {}) {
    this.#options = options;
  }

  async start(net: Net): Promise<number> {
    this.#listener = await net.listenTcp({ host: '127.0.0.1', port: 0 }, (connection) => {
      // A client that goes away ends its conversation.
      this.#serve(connection).catch(() => connection.close());
    });
    return this.#listener.address.port;
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }

  async #serve(connection: TcpConnection): Promise<void> {
    const say = (text: string): Promise<void> => connection.write(Buffer.from(`${text}\r\n`));
    let unread = '';
    const until = async (end: string): Promise<string | null> => {
      while (!unread.includes(end)) {
        const bytes = await connection.read(10_000);
        if (bytes === null) return null;
        unread += Buffer.from(bytes).toString('latin1');
      }
      const at = unread.indexOf(end);
      const found = unread.slice(0, at);
      unread = unread.slice(at + end.length);
      return found;
    };
    await say(this.#options.answers?.greeting ?? '220 double');
    let commands: string[] = [];
    for (;;) {
      const line = await until('\r\n');
      if (line === null) return;
      commands.push(line);
      this.commands.push(line);
      const given = Object.entries(this.#options.answers ?? {}).find(([start]) =>
        line.startsWith(start),
      );
      if (given !== undefined) await say(given[1]);
      else if (line.startsWith('EHLO')) {
        const lines = ['double', ...(this.#options.extensions ?? [])];
        const last = lines.length - 1;
        await say(lines.map((text, at) => `250${at === last ? ' ' : '-'}${text}`).join('\r\n'));
      } else if (line === 'DATA') {
        await say('354 go on');
        const data = await until('\r\n.\r\n');
        this.mails.push({ commands, data: Buffer.from(data ?? '', 'latin1').toString() });
        commands = [];
        await say('250 taken');
      } else if (line.startsWith('AUTH')) await say('235 welcome');
      else if (line === 'QUIT') {
        await say('221 bye');
        connection.close();
        return;
      } else await say('250 ok');
    }
  }
}
