import type { Finding } from '../finding.ts';
import { STEP_MS } from '../times.ts';
import type { Truth } from '../truth.ts';

/**
 * No step is missing that any server scraped. Allowed is a gap that no server that could be asked has, and then a warning names it;
 * one without a warning is told once more, as unnamed. A gateway that was cut off cannot know that the other server had what its own
 * failed to scrape; nobody can whose disk is lost by now.
 */
export function judgeGaps(truth: Truth): Finding[] {
  return truth.record.answers.flatMap((answer): Finding[] => {
    const { what, error, startMs, endMs, askedMs, question, warnings } = answer;
    if (error !== null || what.kind === 'names') return [];
    const there = new Set(answer.points.map(([stepMs]) => stepMs));
    const missing: number[] = [];
    for (let stepMs = startMs; stepMs <= endMs; stepMs += STEP_MS)
      if (!there.has(stepMs) && truth.wasScraped(what, stepMs)) missing.push(stepMs);
    const [first] = missing;
    if (first === undefined) return [];
    const hosts = truth.askable(answer);
    const able = missing.filter((stepMs) =>
      hosts.some((host) => truth.canAnswer(host, what, stepMs, askedMs)),
    );
    const gap = {
      atMs: askedMs,
      secondsMs: missing,
      text: `${question}: ${missing.length} steps from ${new Date(first).toISOString()}, of which ${able.length} a server had that could be asked`,
    };
    const isUnknowable =
      able.length === 0 && missing.every((stepMs) => truth.isUnknowable(answer, what, stepMs));
    const isNamed = warnings.length > 0;
    return [
      { ...gap, kind: 'gap', isAllowed: able.length === 0 },
      ...(isNamed ? [] : [{ ...gap, kind: 'unnamed-gap' as const, isAllowed: isUnknowable }]),
    ];
  });
}
