import type { HttpResponse } from '@pollux/base';
import { answer } from '../api/respond.ts';
import { formatDateTime } from '../api/time.ts';
import type { SeenWay } from '../doctor/codec.ts';
import type { DatedAnswer, Examined } from '../doctor/doctor.ts';
import type { ApiV3 } from './api-v3-options.ts';

/** A difference of clocks above this is named a problem, ms. */
const MAX_SKEW_MS = 1_000;

/** Whether the members of the cluster reach each other, over both ways and in both directions. */
export async function getDoctor(api: ApiV3): Promise<HttpResponse> {
  const { cluster, doctor } = api;
  const examined = await doctor.examine();
  const members = examined.map((item) => memberView(item, cluster.name));
  const conflicts = cluster.conflicts().map(({ name, address, timeMs }) => ({
    name,
    address,
    time: formatDateTime(timeMs),
  }));
  return answer(200, {
    member: cluster.name,
    version: api.version,
    clusterStatus: cluster.status(),
    position: cluster.position(),
    members,
    conflicts,
    problems: [
      ...members.flatMap(problemsOf),
      ...conflicts.map(({ name, address }) => `${address} claimed the name ${name} of another`),
    ],
  });
}

type MemberView = {
  readonly name: string;
  readonly address: string;
  readonly isSuspected: boolean;
  /** From this member to that one. */
  readonly to: Ways;
  /** From that one to this, as it says; unknown when it says nothing. */
  readonly from: Ways | 'unknown';
  readonly lastContactSeconds: number | null;
  readonly version: string | 'unknown';
  /** How far its clock is ahead of ours, give or take `uncertaintyMs`. */
  readonly clock: { readonly aheadMs: number; readonly uncertaintyMs: number } | 'unknown';
};

type Ways = { readonly udp: SeenWay; readonly tcp: SeenWay };

function memberView({ link, answer: told }: Examined, self: string): MemberView {
  const { name, address, isSuspected, udp, tcp, lastContactMs } = link;
  const back = told?.links.find((seen) => seen.name === self);
  return {
    name,
    address,
    isSuspected,
    to: { udp, tcp },
    from: back === undefined ? 'unknown' : { udp: back.udp, tcp: back.tcp },
    lastContactSeconds: lastContactMs === null ? null : Math.round(lastContactMs) / 1000,
    version: told?.version ?? 'unknown',
    clock: told === null ? 'unknown' : clockOf(told),
  };
}

/** As NTP: half of what the way there and the way back differ in. */
function clockOf({ askedMs, receivedMs, sentMs, answeredMs }: DatedAnswer): {
  readonly aheadMs: number;
  readonly uncertaintyMs: number;
} {
  const aheadMs = Math.round((receivedMs - askedMs + (sentMs - answeredMs)) / 2);
  const uncertaintyMs = Math.ceil(Math.max(0, answeredMs - askedMs - (sentMs - receivedMs)) / 2);
  return { aheadMs, uncertaintyMs };
}

function problemsOf({ name, to, from, isSuspected, clock }: MemberView): string[] {
  const problems: string[] = [];
  const look = (ways: Ways, text: (way: string) => string): void => {
    if (!ways.udp.isReachable) problems.push(`${text('UDP')}: ${ways.udp.error}`);
    if (!ways.tcp.isReachable) problems.push(`${text('TCP')}: ${ways.tcp.error}`);
  };
  look(to, (way) => `${name} is not reached over ${way}`);
  if (from !== 'unknown') look(from, (way) => `${name} does not reach this member over ${way}`);
  if (isSuspected) problems.push(`${name} is suspected to be dead`);
  if (clock !== 'unknown' && Math.abs(clock.aheadMs) > MAX_SKEW_MS + clock.uncertaintyMs) {
    problems.push(
      `the clock of ${name} differs by ${clock.aheadMs} ms; silences and logs are merged by clocks`,
    );
  }
  return problems;
}
