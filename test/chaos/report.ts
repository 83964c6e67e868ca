import { FINDING_KINDS, type Finding, type FindingKind } from './finding.ts';
import type { ChaosRecord, PlayedFault } from './record.ts';
import type { Verdict } from './verdict.ts';

export type Judged = { readonly record: ChaosRecord; readonly verdict: Verdict };

const MAX_LISTED = 60;
const EXPLAINED_ONE_BY_ONE: ReadonlySet<FindingKind> = new Set(['lost', 'doubled', 'untrue']);

/** What each kind counts, for the reader. */
const ROWS: Readonly<Record<FindingKind, { readonly what: string; readonly unit: string }>> = {
  failed: { what: 'questions and silences without an answer within 5 s', unit: 'questions' },
  slow: { what: 'answers that took more than 1 s', unit: 'answers' },
  wrong: { what: 'answers with a wrong value', unit: 'answers' },
  gap: { what: 'graphs with a gap though a server had scraped', unit: 'answers' },
  'unnamed-gap': { what: 'of these without a warning that names it', unit: 'answers' },
  stale: { what: 'answers with an old sample shown as the newest', unit: 'answers' },
  differs: { what: 'the same question at once again, another answer', unit: 'pairs' },
  unstored: { what: 'seconds missing from a long-term store in the end', unit: 'seconds' },
  lost: { what: 'notifications that never came', unit: 'messages' },
  late: { what: 'notifications that came late', unit: 'messages' },
  doubled: { what: 'notifications that came again', unit: 'messages' },
  untrue: { what: 'notifications of what was not so', unit: 'messages' },
  'silenced-told': { what: 'notifications of what was silenced', unit: 'messages' },
};

/** One page over all set-ups that were run. */
export function reportOf(runs: readonly Judged[], command: string): string {
  return [
    '# Chaos report',
    '',
    `\`${command}\``,
    '',
    ...summary(runs),
    ...runs.flatMap(ofRun),
    '',
  ].join('\n');
}

/** The same as numbers. */
export function figuresOf({ record, verdict }: Judged): object {
  const { findings } = verdict;
  return {
    setUp: record.setUp,
    seed: record.seed,
    seconds: Math.round((record.toMs - record.fromMs) / 1_000),
    questions: record.answers.length,
    scrapeDelaySpreadMs: verdict.spreadMs,
    counts: Object.fromEntries(
      FINDING_KINDS.map((kind) => [
        kind,
        {
          all: of(findings, kind).length,
          beyond: of(findings, kind).filter(({ isAllowed }) => !isAllowed).length,
          seconds: distinctSeconds(of(findings, kind)),
        },
      ]),
    ),
    faults: faultsOf(record).map(({ fault, untilMs }) => ({
      ...fault,
      counts: countsOf(between(findings, fault.fromMs, untilMs)),
    })),
    findings,
  };
}

function summary(runs: readonly Judged[]): string[] {
  const header = runs.map(({ record }) => ` ${record.setUp} |`).join('');
  const rule = runs.map(() => '---:|').join('');
  const row = (what: string, cell: (run: Judged) => string): string =>
    `| ${what} |${runs.map((run) => ` ${cell(run)} |`).join('')}`;
  return [
    `| seen by a user |${header}`,
    `|---|${rule}`,
    row('questions asked', ({ record }) => String(record.answers.length)),
    ...FINDING_KINDS.map((kind) =>
      row(`${ROWS[kind].what} (${ROWS[kind].unit})`, ({ verdict }) => cellOf(verdict, kind)),
    ),
    row('notifications', ({ record }) => String(record.notifications.length)),
    row('slowest answer', ({ record }) => `${slowestMs(record)} ms`),
    '',
    'In brackets: distinct seconds of the run that were shown so; `!`: how many are beyond what the invariants of the pair allow.',
    '',
  ];
}

function cellOf({ findings }: Verdict, kind: FindingKind): string {
  const ofKind = of(findings, kind);
  const seconds = distinctSeconds(ofKind);
  const beyond = ofKind.filter(({ isAllowed }) => !isAllowed).length;
  const marks = [
    seconds > 0 && kind !== 'unstored' ? ` (${seconds} s)` : '',
    beyond > 0 ? ` ! ${beyond}` : '',
  ];
  return `${ofKind.length}${marks.join('')}`;
}

function ofRun({ record, verdict }: Judged): string[] {
  const { findings, spreadMs } = verdict;
  const beyond = findings.filter(({ isAllowed }) => !isAllowed);
  const explained = findings.filter(
    ({ isAllowed, kind }) => isAllowed && EXPLAINED_ONE_BY_ONE.has(kind),
  );
  return [
    '',
    `## ${record.setUp}, seed ${record.seed}, ${Math.round((record.toMs - record.fromMs) / 1_000)} s`,
    '',
    record.isolationMissing === null
      ? 'Each host had a network namespace and a disk of its own: a cut host drops packets, a full disk gives ENOSPC.'
      : `Hosts had no network and no disk of their own, so none was cut off and no disk was full: ${record.isolationMissing}.`,
    '',
    `Delays of scrapes differ by up to ${Math.round(spreadMs)} ms; a rate may differ from 1 by what those of its window make of it.`,
    '',
    '| at | fault | of | lasted | answers after | seen until the next |',
    '|---:|---|---|---:|---:|---|',
    `| 0 s | none yet | | | | ${countsText(between(findings, 0, record.faults[0]?.fromMs ?? record.toMs))} |`,
    ...faultsOf(record).map(({ fault, untilMs }) => {
      const at = Math.round((fault.fromMs - record.fromMs) / 1_000);
      const cells = [
        `${at} s`,
        fault.kind,
        fault.processes.join(', ') || (fault.kind === 'cut-link' ? fault.host : 'nothing there'),
        `${((fault.endedMs - fault.fromMs) / 1_000).toFixed(1)} s`,
        `${((fault.recoveredMs - fault.endedMs) / 1_000).toFixed(1)} s`,
        countsText(between(findings, fault.fromMs, untilMs)),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
    '',
    ...list('Beyond what the invariants allow', record, beyond),
    ...list('Notifications that have an explanation', record, explained),
  ];
}

function list(title: string, record: ChaosRecord, findings: readonly Finding[]): string[] {
  if (findings.length === 0) return [];
  return [
    `### ${title}`,
    '',
    ...findings
      .slice(0, MAX_LISTED)
      .map(
        ({ kind, atMs, text }) =>
          `- ${((atMs - record.fromMs) / 1_000).toFixed(1)} s ${kind}: ${text.replaceAll('\n', ' ')}`,
      ),
    ...(findings.length > MAX_LISTED ? [`- and ${findings.length - MAX_LISTED} more`] : []),
    '',
  ];
}

/** What follows a fault is counted as its doing, until the next begins. */
function faultsOf(record: ChaosRecord): { fault: PlayedFault; untilMs: number }[] {
  return record.faults.map((fault, index) => ({
    fault,
    untilMs: record.faults[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY,
  }));
}

function countsText(findings: readonly Finding[]): string {
  const counts = Object.entries(countsOf(findings));
  return counts.length === 0
    ? 'nothing'
    : counts.map(([kind, count]) => `${count} ${kind}`).join(', ');
}

function countsOf(findings: readonly Finding[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of FINDING_KINDS) {
    const count = of(findings, kind).length;
    if (count > 0) counts[kind] = count;
  }
  return counts;
}

function between(findings: readonly Finding[], fromMs: number, untilMs: number): Finding[] {
  return findings.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs);
}

function of(findings: readonly Finding[], kind: FindingKind): Finding[] {
  return findings.filter((finding) => finding.kind === kind);
}

function distinctSeconds(findings: readonly Finding[]): number {
  return new Set(findings.flatMap(({ secondsMs }) => secondsMs.map((ms) => Math.floor(ms / 1_000))))
    .size;
}

function slowestMs({ answers }: ChaosRecord): number {
  return Math.round(answers.reduce((most, { tookMs }) => Math.max(most, tookMs), 0));
}
