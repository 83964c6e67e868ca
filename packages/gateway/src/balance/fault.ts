import { ExchangeError, errorText, type HttpRequest, systemCode } from '@pollux/base';

/** Something went wrong with one member, or with all of a group; told to the error log in nginx's words. */
export type Fault = {
  readonly level: 'error' | 'warn';
  readonly text: string;
  readonly request: HttpRequest;
  /** Address that was asked; empty when none could be. */
  readonly upstream: string;
};

export type FaultListener = (fault: Fault) => void;

/** What nginx calls a failed try. */
export function faultText(error: unknown): string {
  if (!(error instanceof ExchangeError)) return `${errorText(error)} while reading upstream`;
  const phase = error.isSent
    ? 'while reading response header from upstream'
    : 'while connecting to upstream';
  if (error.isTimeout) return `upstream timed out (110: Connection timed out) ${phase}`;
  switch (systemCode(error.cause)) {
    case 'ECONNREFUSED':
      return `connect() failed (111: Connection refused) ${phase}`;
    case 'ECONNRESET':
      return `recv() failed (104: Connection reset by peer) ${phase}`;
    case 'EHOSTUNREACH':
      return `connect() failed (113: No route to host) ${phase}`;
    case 'UND_ERR_SOCKET':
      return `upstream prematurely closed connection ${phase}`;
    default:
      return `${errorText(error.cause)} ${phase}`;
  }
}

export const NO_LIVE_MEMBERS = 'no live upstreams while connecting to upstream';
