export { assert, defined, ProgrammerError, unreachable } from './assert.ts';
export { BoundedQueue } from './bounded-queue.ts';
export { ByteCache } from './byte-cache.ts';
export { ByteReader, DecodeError } from './bytes/byte-reader.ts';
export { ByteWriter } from './bytes/byte-writer.ts';
export { crc32, crc32c } from './bytes/crc32c.ts';
export { decodeText, ProtoReader, WIRE } from './bytes/proto-reader.ts';
export { type Clock, deadline, sleep, stopAfter, type Timer } from './clock.ts';
export { Closer, withTimeout } from './closer.ts';
export type { Env } from './env.ts';
export {
  CanceledError,
  errorText,
  InputError,
  LimitError,
  OperatingError,
  systemCode,
  TimeoutError,
} from './errors.ts';
export type { File, FileSpace, FileStat, Files } from './files.ts';
export { Heap } from './heap.ts';
export { InlineWorkers } from './inline-workers.ts';
export { parseIp } from './ip.ts';
export {
  type Address,
  EVERYONE,
  ExchangeError,
  type Headers,
  type HttpClientRequest,
  type HttpClientResponse,
  type HttpHandler,
  type HttpPool,
  type HttpPoolOptions,
  type HttpPoolRequest,
  type HttpPoolResponse,
  type HttpProxy,
  type HttpRequest,
  type HttpResponse,
  type HttpServeOptions,
  type HttpServeTls,
  type Listener,
  type Net,
  type Principal,
  type RequestTls,
  type Scope,
  type ServerCertificate,
  type TcpConnection,
  type TlsClientAuth,
  type TlsClientOptions,
  type TlsHandshake,
  type TlsServerOptions,
  type TlsVersion,
  type UdpSocket,
} from './net.ts';
export { atOnce, inSlices } from './pieces.ts';
export { PoolOverRequests } from './pool-over-requests.ts';
export { type Random, randomHex, SeededRandom, ulid, uuid } from './random.ts';
export { slicedSort, sortInSteps } from './sliced-sort.ts';
export { Slices } from './slices.ts';
export { type StopSignal, StopSource } from './stop-signal.ts';
export { tlsClientSettings } from './tls-client-settings.ts';
export { Turns } from './turns.ts';
export { unlinkTree } from './unlink-tree.ts';
export { VirtualClock } from './virtual-clock.ts';
export {
  type PackedError,
  packError,
  unpackError,
  WorkerExitError,
  WorkerMemoryError,
} from './worker-errors.ts';
export type {
  WorkerEntry,
  WorkerHandle,
  WorkerOptions,
  WorkerPort,
  Workers,
  WorkerWorld,
} from './workers.ts';
