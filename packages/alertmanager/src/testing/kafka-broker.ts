import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { gunzipSync } from 'node:zlib';

export type ProducedRecord = {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  /** The value as it came. */
  readonly bytes: Uint8Array;
  readonly acks: number;
  readonly clientId: string;
};

export type BrokerMood = 'serve' | 'hang' | 'reset' | 'garbage';

const PARTITIONS = 3;
const PRODUCE = 0;
const METADATA = 3;
const API_VERSIONS = 18;
const MAX_VERSIONS = { [PRODUCE]: 10, [METADATA]: 12, [API_VERSIONS]: 3 } as const;

/**
 * A Kafka broker as far as a producer asks for one, on a real socket: ApiVersions 3, Metadata 12, Produce 10, written by the
 * protocol's description and not by the library. Checks the form and the CRC32C of record batches. For tests.
 */
export class KafkaBroker {
  readonly records: ProducedRecord[] = [];
  /** Records of each request. */
  readonly requests: number[] = [];
  mood: BrokerMood = 'serve';
  /** The error code for a request with these values, 0 to take them. */
  judge: (values: readonly string[]) => number = () => 0;
  readonly faults: string[] = [];
  /** By Kafka's numbers of them. */
  readonly compressions = new Set<number>();
  /** By the same numbers; others come as they are. */
  readonly unpack: Record<number, (data: Buffer) => Buffer> = { 1: gunzipSync };
  #connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<() => void>();

  static async start(port = 0, tls: TlsOptions | null = null): Promise<KafkaBroker> {
    const broker = new KafkaBroker(tls);
    broker.#server.listen(port, '127.0.0.1');
    await once(broker.#server, 'listening');
    return broker;
  }

  private constructor(tls: TlsOptions | null) {
    const serve = (socket: Socket): void => this.#serve(socket);
    this.#server = tls === null ? createServer(serve) : createTlsServer(tls, serve);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#connections;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  /** Resolves when that holds after something has come. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        this.#watches.delete(look);
        resolve();
      };
      this.#watches.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.#connections++;
    this.#sockets.add(socket);
    // A client that breaks off is part of the tests.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#look();
    });
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const length = rest.readInt32BE(0);
        this.#answer(socket, new Bytes(rest.subarray(4, 4 + length)));
        rest = rest.subarray(4 + length);
      }
    });
    this.#look();
  }

  #answer(socket: Socket, request: Bytes): void {
    const [key, version, correlation] = [request.int16(), request.int16(), request.int32()];
    const clientId = request.take(request.int16()).toString();
    request.tags();
    if (MAX_VERSIONS[key as keyof typeof MAX_VERSIONS] !== version) {
      this.faults.push(`request ${key} of version ${version}`);
    }
    if (this.mood === 'reset') socket.resetAndDestroy();
    // A length of 0, of which the rest is shorter than a header: the library throws out of its listener.
    if (this.mood === 'garbage') socket.write(Buffer.from([0, 0, 0, 0, 0]));
    if (this.mood !== 'serve') {
      this.#look();
      return;
    }
    const answer = this.#bodyOf(key, request, clientId);
    if (answer === null) return;
    const head = [int32(correlation), ...(key === API_VERSIONS ? [] : [NO_TAGS])];
    const body = Buffer.concat([...head, answer]);
    socket.write(Buffer.concat([int32(body.length), body]));
    this.#look();
  }

  #bodyOf(key: number, request: Bytes, clientId: string): Buffer | null {
    if (key === API_VERSIONS) return apiVersions();
    return key === METADATA ? this.#metadata(request) : this.#produce(request, clientId);
  }

  #metadata(request: Bytes): Buffer {
    const topics = request.array(() => {
      request.take(16);
      const name = request.text();
      request.tags();
      return name;
    });
    const ids = compactArray([int32(7)]);
    const partitions = Array.from({ length: PARTITIONS }, (_, index) =>
      Buffer.concat([int16(0), ...[index, 7, 0].map(int32), ids, ids, compactArray([]), NO_TAGS]),
    );
    const broker = [int32(7), compactText('127.0.0.1'), int32(this.port), compactNull, NO_TAGS];
    return Buffer.concat([
      int32(0),
      compactArray([Buffer.concat(broker)]),
      compactText('double'),
      int32(7),
      compactArray(
        topics.map((name) =>
          Buffer.concat([
            int16(0),
            compactText(name),
            Buffer.alloc(16, 1),
            Buffer.from([0]),
            compactArray(partitions),
            int32(0),
            NO_TAGS,
          ]),
        ),
      ),
      NO_TAGS,
    ]);
  }

  #produce(request: Bytes, clientId: string): Buffer | null {
    if (request.varint() !== 0) this.faults.push('a transaction');
    const acks = request.int16();
    request.int32();
    const topics = request.array(() => {
      const topic = request.text();
      const partitions = request.array(() => {
        const partition = request.int32();
        const records = this.#recordsOf(new Bytes(request.take(request.varint() - 1)));
        request.tags();
        const error = this.judge(records.map(({ value }) => value));
        this.requests.push(records.length);
        const taken = records.map((record) => ({ topic, partition, acks, clientId, ...record }));
        if (error === 0) this.records.push(...taken);
        const times = Buffer.alloc(24, 0);
        const parts = [int32(partition), int16(error), times, compactArray([]), compactNull];
        return Buffer.concat([...parts, NO_TAGS]);
      });
      request.tags();
      return Buffer.concat([compactText(topic), compactArray(partitions), NO_TAGS]);
    });
    this.#look();
    return acks === 0 ? null : Buffer.concat([compactArray(topics), int32(0), NO_TAGS]);
  }

  #recordsOf(batch: Bytes): Pick<ProducedRecord, 'key' | 'value' | 'bytes'>[] {
    batch.take(8);
    const length = batch.int32();
    if (length !== batch.left) this.faults.push(`a batch of ${batch.left} bytes says ${length}`);
    batch.int32();
    if (batch.take(1)[0] !== 2) this.faults.push('no batch of magic 2');
    const crc = batch.take(4).readUInt32BE(0);
    if (crc !== crc32c(batch.rest())) this.faults.push('a wrong CRC32C');
    const attributes = batch.int16();
    // Offset, times, producer and its sequence.
    batch.take(4 + 8 + 8 + 8 + 2 + 4);
    const count = batch.int32();
    this.compressions.add(attributes & 7);
    const content = new Bytes(this.unpack[attributes & 7]?.(batch.rest()) ?? batch.rest());
    return Array.from({ length: count }, () => {
      content.zigzag();
      content.take(1);
      content.zigzag();
      content.zigzag();
      const key = content.take(content.zigzag()).toString();
      const bytes = content.take(content.zigzag());
      if (content.zigzag() !== 0) this.faults.push('headers');
      return { key, value: bytes.toString(), bytes };
    });
  }

  #look(): void {
    for (const watch of this.#watches) watch();
  }
}

class Bytes {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  get left(): number {
    return this.#data.length - this.#at;
  }

  take(length: number): Buffer {
    if (length > this.left) throw new RangeError(`${length} bytes of ${this.left}`);
    this.#at += length;
    return this.#data.subarray(this.#at - length, this.#at);
  }

  rest(): Buffer {
    return this.#data.subarray(this.#at);
  }

  int16(): number {
    return this.take(2).readInt16BE(0);
  }

  int32(): number {
    return this.take(4).readInt32BE(0);
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.take(1)[0] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  text(): string {
    return this.take(this.varint() - 1).toString();
  }

  array<T>(item: () => T): T[] {
    return Array.from({ length: this.varint() - 1 }, item);
  }

  tags(): void {
    if (this.varint() !== 0) throw new RangeError('tagged fields');
  }
}

const NO_TAGS = Buffer.from([0]);
const compactNull = Buffer.from([0]);

function apiVersions(): Buffer {
  const keys = Object.entries(MAX_VERSIONS).map(([key, version]) =>
    Buffer.concat([...[Number(key), 0, version].map(int16), NO_TAGS]),
  );
  return Buffer.concat([int16(0), compactArray(keys), int32(0), NO_TAGS]);
}

function int16(value: number): Buffer {
  const data = Buffer.alloc(2);
  data.writeInt16BE(value);
  return data;
}

function int32(value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeInt32BE(value);
  return data;
}

function unsignedVarint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return Buffer.from([...bytes, left]);
}

function compactText(text: string): Buffer {
  return Buffer.concat([unsignedVarint(Buffer.byteLength(text) + 1), Buffer.from(text)]);
}

function compactArray(items: readonly Buffer[]): Buffer {
  return Buffer.concat([unsignedVarint(items.length + 1), ...items]);
}

/** Bit by bit, so that it shares nothing with the library's tables. */
function crc32c(data: Buffer): number {
  let crc = 0xffff_ffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}
