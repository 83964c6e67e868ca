import {
  type Address,
  type Net,
  OperatingError,
  type StopSignal,
  type TcpConnection,
} from '@pollux/base';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** Who may ask. */
export const SECRET_HEADER = 'x-pollux-secret';
const HEAD_END = '\r\n\r\n';

/** Asks a server of ours one GET after the other over one connection. */
export class Asker {
  readonly #connection: TcpConnection;
  readonly #headers: string;

  private constructor(connection: TcpConnection, headers: string) {
    this.#connection = connection;
    this.#headers = headers;
  }

  static async connect(
    net: Net,
    to: Address,
    { secret, signal }: { readonly secret: string; readonly signal: StopSignal },
  ): Promise<Asker> {
    const headers = `Host: ${to.host}:${to.port}\r\n${SECRET_HEADER}: ${secret}\r\nConnection: keep-alive`;
    return new Asker(await net.connectTcp(to, { timeoutMs: TIMEOUT_MS, signal }), headers);
  }

  /** The answer as it came. Rejects for any status but 200, and for an answer of unknown length. */
  async get(target: string): Promise<string> {
    const head = `GET ${target} HTTP/1.1\r\n${this.#headers}\r\n\r\n`;
    await this.#connection.write(Buffer.from(head, 'latin1'));
    let answer = '';
    let wanted = Number.POSITIVE_INFINITY;
    while (answer.length < wanted) {
      const bytes = await this.#connection.read(TIMEOUT_MS);
      if (bytes === null || answer.length > MAX_ANSWER_BYTES) throw refused(target, answer);
      answer += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
      if (Number.isFinite(wanted)) continue;
      const end = answer.indexOf(HEAD_END);
      if (end < 0) continue;
      const length = /^content-length: (\d+)$/im.exec(answer.slice(0, end))?.[1];
      if (!answer.startsWith('HTTP/1.1 200 ') || length === undefined)
        throw refused(target, answer);
      wanted = end + HEAD_END.length + Number(length);
    }
    return answer;
  }

  close(): void {
    this.#connection.close();
  }
}

function refused(target: string, answer: string): OperatingError {
  const what = answer === '' ? 'nothing' : answer.slice(0, 200);
  return new OperatingError('ROLES.WARM_UP', `asked for ${target}, the server answered ${what}`);
}
