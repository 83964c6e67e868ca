import type { Finding } from './finding.ts';
import { judgeAgreement } from './judges/agreement.ts';
import { judgeGaps } from './judges/gaps.ts';
import { judgeNotifications } from './judges/notifications.ts';
import { judgeReplies } from './judges/replies.ts';
import { judgeStorage } from './judges/storage.ts';
import { judgeFreshness, judgeValues } from './judges/values.ts';
import type { ChaosRecord } from './record.ts';
import { Truth } from './truth.ts';

export type Verdict = {
  readonly findings: readonly Finding[];
  /** Longest difference between the delays of two scrapes, ms; what a rate may differ by follows from those of its window. */
  readonly spreadMs: number;
};

/** All judges over one record. */
export function verdictOf(record: ChaosRecord): Verdict {
  const truth = new Truth(record);
  const findings = [
    ...judgeReplies(record),
    ...judgeValues(truth),
    ...judgeGaps(truth),
    ...judgeFreshness(truth),
    ...judgeAgreement(truth),
    ...judgeStorage(truth),
    ...judgeNotifications(truth),
  ];
  return { findings: findings.sort((a, b) => a.atMs - b.atMs), spreadMs: truth.spreadMs };
}
