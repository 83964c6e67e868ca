import { Buffer } from 'node:buffer';
import { createHmac } from 'node:crypto';
import {
  type Clock,
  OperatingError,
  type TcpConnection,
  type TlsClientOptions,
} from '@pollux/base';

const MAX_REPLY_BYTES = 64 * 1024;

export type SmtpReply = { readonly code: number; readonly text: string };

export type SmtpCredentials = {
  readonly username: string;
  readonly identity: string;
  /** Whether the server is this machine, where PLAIN needs no TLS. */
  readonly isLocal: boolean;
  /** Called when a mechanism needs it; may throw. */
  readonly password: () => string;
  readonly secret: () => string;
};

/** A refusal or a breach of the protocol; the server's words without anything that was sent. */
export class SmtpError extends OperatingError {
  constructor(message: string) {
    super('ALERTMANAGER.SMTP', message);
  }
}

/**
 * One conversation with a mail server (RFC 5321), step by step; its owner closes the connection. Nothing that it throws
 * holds a password.
 */
export class SmtpClient {
  #connection: TcpConnection;
  readonly #clock: Clock;
  readonly #endMs: number;
  #extensions = new Map<string, string>();
  #hello = 'localhost';
  #unread = '';
  #isSecure: boolean;

  constructor(
    connection: TcpConnection,
    options: { readonly clock: Clock; readonly timeoutMs: number; readonly isSecure: boolean },
  ) {
    this.#connection = connection;
    this.#clock = options.clock;
    this.#endMs = options.clock.monotonic() + options.timeoutMs;
    this.#isSecure = options.isSecure;
  }

  /** The extension's parameters, or null when the server does not have it. Known after {@link hello}. */
  extension(name: string): string | null {
    return this.#extensions.get(name) ?? null;
  }

  async greeting(): Promise<void> {
    expectCode(await this.#reply(), 220);
  }

  async hello(name: string): Promise<void> {
    if (/[\r\n]/.test(name)) throw new SmtpError('a line may not hold a line end');
    this.#hello = name;
    const reply = await this.#command(`EHLO ${name}`);
    if (reply.code !== 250) {
      expectCode(await this.#command(`HELO ${name}`), 250);
      this.#extensions = new Map();
      return;
    }
    this.#extensions = new Map(
      reply.text
        .split('\n')
        .slice(1)
        .map((line) => {
          const [key = '', ...rest] = line.trim().split(' ');
          return [key.toUpperCase(), rest.join(' ')] as const;
        }),
    );
  }

  async startTls(options: TlsClientOptions): Promise<void> {
    expectCode(await this.#command('STARTTLS'), 220);
    await this.secure(options);
    await this.hello(this.#hello);
  }

  async secure(options: TlsClientOptions): Promise<void> {
    if (this.#connection.startTls === undefined) {
      throw new SmtpError('TLS is not to be had on this network');
    }
    // What came in the clear before the session must not be taken for its answer.
    this.#unread = '';
    this.#connection = await this.#connection.startTls(options, this.#leftMs());
    this.#isSecure = true;
  }

  /** The first mechanism of the server's that is known and for which there is a credential. */
  async authenticate(mechanisms: string, credentials: SmtpCredentials): Promise<void> {
    const problems: string[] = [];
    for (const mechanism of mechanisms.split(' ').filter((name) => name !== '')) {
      const secret = credentialFor(mechanism, credentials, problems);
      if (secret === null) continue;
      await this.#authenticateBy(mechanism, secret, credentials);
      return;
    }
    throw new SmtpError(`find auth mechanism: ${problems.join('\n')}`);
  }

  async mailFrom(address: string): Promise<void> {
    const body = this.#extensions.has('8BITMIME') ? ' BODY=8BITMIME' : '';
    const utf8 = this.#extensions.has('SMTPUTF8') ? ' SMTPUTF8' : '';
    expectCode(await this.#command(`MAIL FROM:<${address}>${body}${utf8}`), 250);
  }

  async recipient(address: string): Promise<void> {
    const { code, text } = await this.#command(`RCPT TO:<${address}>`);
    if (Math.floor(code / 10) !== 25) throw refusal(code, text);
  }

  async data(message: string): Promise<void> {
    expectCode(await this.#command('DATA'), 354);
    const stuffed = message.replace(/\r?\n/g, '\r\n').replace(/^\./gm, '..');
    await this.#write(stuffed.endsWith('\r\n') ? `${stuffed}.\r\n` : `${stuffed}\r\n.\r\n`);
    expectCode(await this.#reply(), 250);
  }

  async quit(): Promise<void> {
    expectCode(await this.#command('QUIT'), 221);
  }

  close(): void {
    this.#connection.close();
  }

  async #authenticateBy(
    mechanism: string,
    secret: string,
    { username, identity, isLocal }: SmtpCredentials,
  ): Promise<void> {
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    if (mechanism === 'PLAIN') {
      if (!this.#isSecure && !isLocal) throw new SmtpError('PLAIN: unencrypted connection');
      const first = encode(`${identity}\0${username}\0${secret}`);
      expectCode(await this.#command(`AUTH PLAIN ${first}`), 235);
      return;
    }
    if (mechanism === 'CRAM-MD5') {
      const challenge = await this.#command('AUTH CRAM-MD5');
      expectCode(challenge, 334);
      const question = Buffer.from(challenge.text.trim(), 'base64');
      const digest = createHmac('md5', secret).update(question).digest('hex');
      expectCode(await this.#command(encode(`${username} ${digest}`)), 235);
      return;
    }
    let reply = await this.#command('AUTH LOGIN');
    // Servers ask for both in either order; three rounds are more than any needs.
    for (let round = 0; round < 3 && reply.code === 334; round++) {
      const question = Buffer.from(reply.text.trim(), 'base64').toString().toLowerCase();
      if (question !== 'username:' && question !== 'password:') {
        throw new SmtpError('unexpected server challenge');
      }
      reply = await this.#command(encode(question === 'username:' ? username : secret));
    }
    expectCode(reply, 235);
  }

  async #command(line: string): Promise<SmtpReply> {
    if (/[\r\n]/.test(line)) throw new SmtpError('a line may not hold a line end');
    await this.#write(`${line}\r\n`);
    return this.#reply();
  }

  async #write(text: string): Promise<void> {
    await this.#connection.write(Buffer.from(text));
  }

  /** Lines with `-` after the code go on. */
  async #reply(): Promise<SmtpReply> {
    const texts: string[] = [];
    let size = 0;
    for (;;) {
      const line = await this.#line();
      size += line.length;
      const match = /^(\d{3})([ -]?)(.*)$/.exec(line);
      if (match === null || size > MAX_REPLY_BYTES)
        throw new SmtpError('the answer is none of SMTP');
      texts.push(match[3] ?? '');
      if (match[2] !== '-') return { code: Number(match[1]), text: texts.join('\n') };
    }
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#unread.indexOf('\n');
      if (end >= 0) {
        const line = this.#unread.slice(0, end).replace(/\r$/, '');
        this.#unread = this.#unread.slice(end + 1);
        return line;
      }
      if (this.#unread.length > MAX_REPLY_BYTES) throw new SmtpError('the answer is none of SMTP');
      const bytes = await this.#connection.read(this.#leftMs());
      if (bytes === null) throw new SmtpError('the server closed the connection');
      this.#unread += Buffer.from(bytes).toString('latin1');
    }
  }

  #leftMs(): number {
    return Math.max(1, this.#endMs - this.#clock.monotonic());
  }
}

function credentialFor(
  mechanism: string,
  credentials: SmtpCredentials,
  problems: string[],
): string | null {
  const isCram = mechanism === 'CRAM-MD5';
  if (!isCram && mechanism !== 'PLAIN' && mechanism !== 'LOGIN') {
    problems.push(`unknown auth mechanism: ${mechanism}`);
    return null;
  }
  const found = isCram ? credentials.secret() : credentials.password();
  if (found !== '') return found;
  problems.push(`missing ${isCram ? 'secret' : 'password'} for ${mechanism} auth mechanism`);
  return null;
}

function expectCode({ code, text }: SmtpReply, expected: number): void {
  if (code !== expected) throw refusal(code, text);
}

function refusal(code: number, text: string): SmtpError {
  return new SmtpError(`${code} ${text.slice(0, 500)}`);
}
