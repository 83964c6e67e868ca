import { InputError, OperatingError, systemCode } from '@pollux/base';

export type WireErrorCode =
  | 'GOSSIP.MALFORMED'
  | 'GOSSIP.CHECKSUM'
  | 'GOSSIP.LABEL'
  | 'GOSSIP.TOO_LARGE'
  | 'GOSSIP.UNSUPPORTED';

/** Bytes from the network that are no gossip. They are dropped and counted by code. */
export class WireError extends OperatingError {
  declare readonly code: WireErrorCode;

  constructor(code: WireErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}

/** More bytes are needed before a stream can be decoded any further; never leaves the stream decoder. */
export class ShortInputError extends OperatingError {
  constructor() {
    super('GOSSIP.SHORT', 'the input ends before its end');
  }
}

/** A setting of the cluster that cannot work. */
export class GossipConfigError extends InputError {
  constructor(place: string, message: string) {
    super('GOSSIP.CONFIG', place, message);
  }
}

/** A peer could not be reached or answered with an error. */
export class PeerError extends OperatingError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('GOSSIP.PEER', message, options);
  }
}

/** No TLS session came about: a certificate that is not accepted, or a peer that speaks no TLS. */
export class TlsError extends OperatingError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('GOSSIP.TLS', message, options);
  }
}

/** What networks and peers do to us, in contrast to a bug: our own errors and the system's. */
export function isPeerFailure(error: unknown): boolean {
  return OperatingError.is(error) || systemCode(error) !== '';
}
