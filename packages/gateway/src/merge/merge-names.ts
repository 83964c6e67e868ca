import type { WireExemplarSeries, WireLabels } from '@pollux/api-types';
import { Labels } from '@pollux/model';

/** Texts of any answer, each once, in the order that a server gives them. */
export function mergeTexts(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort(compareBytes);
}

/** Series of any answer, each once, without the labels that tell replicas apart. */
export function mergeSeries(
  lists: readonly (readonly WireLabels[])[],
  replicaLabels: readonly string[],
): WireLabels[] {
  const found = new Map<string, Labels>();
  for (const list of lists) {
    for (const wire of list) {
      const labels = withoutReplica(wire, replicaLabels);
      found.set(labels.key(), labels);
    }
  }
  return [...found.values()].sort((a, b) => a.compare(b)).map((labels) => labels.toObject());
}

/** Exemplars of any answer by their series; one that two replicas have scraped comes once, and all in the order of their times. */
export function mergeExemplars(
  lists: readonly (readonly WireExemplarSeries[])[],
  replicaLabels: readonly string[],
): WireExemplarSeries[] {
  type Exemplar = WireExemplarSeries['exemplars'][number];
  const found = new Map<string, { labels: Labels; exemplars: Map<string, Exemplar> }>();
  for (const list of lists) {
    for (const { seriesLabels, exemplars } of list) {
      const labels = withoutReplica(seriesLabels, replicaLabels);
      const known = found.get(labels.key()) ?? { labels, exemplars: new Map<string, Exemplar>() };
      found.set(labels.key(), known);
      for (const one of exemplars) {
        known.exemplars.set(`${Labels.from(one.labels).key()} ${one.value} ${one.timestamp}`, one);
      }
    }
  }
  return [...found.values()]
    .sort((a, b) => a.labels.compare(b.labels))
    .map(({ labels, exemplars }) => ({
      seriesLabels: labels.toObject(),
      exemplars: [...exemplars.values()].sort((a, b) => a.timestamp - b.timestamp),
    }));
}

function withoutReplica(wire: WireLabels, replicaLabels: readonly string[]): Labels {
  if (replicaLabels.length === 0) return Labels.from(wire);
  return Labels.from(
    Object.fromEntries(Object.entries(wire).filter(([name]) => !replicaLabels.includes(name))),
  );
}

/** As servers sort: by UTF-8, where JavaScript's order differs beyond the basic plane. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
