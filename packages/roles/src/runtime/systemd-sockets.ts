import { InputError } from '@pollux/base';

/** The first descriptor that systemd hands over; the others follow it. */
const FIRST = 3;
/** More than anybody lists in a unit. */
const MAX_SOCKETS = 1_024;

/** Listening sockets that systemd opened for this process (`sd_listen_fds`). Throws an InputError where there are none. */
export function systemdSockets(
  variables: Readonly<Record<string, string | undefined>>,
  pid: number,
): readonly { readonly descriptor: number }[] {
  const { LISTEN_PID: forPid = '', LISTEN_FDS: listed = '' } = variables;
  const count = /^\d+$/.test(listed) ? Number(listed) : 0;
  const none = (why: string): InputError =>
    new InputError(
      'ROLES.NO_SYSTEMD_SOCKET',
      '--web.systemd-socket',
      `${why}; start it by a .socket unit, or give --web.listen-address instead`,
    );
  if (count === 0) throw none('systemd handed no socket over (LISTEN_FDS)');
  if (count > MAX_SOCKETS) throw none(`LISTEN_FDS=${count} is over ${MAX_SOCKETS}`);
  if (forPid !== String(pid)) {
    throw none(
      `the sockets are of process ${forPid === '' ? 'nobody' : forPid} (LISTEN_PID), not of this one, ${pid}`,
    );
  }
  return Array.from({ length: count }, (_, index) => ({ descriptor: FIRST + index }));
}
