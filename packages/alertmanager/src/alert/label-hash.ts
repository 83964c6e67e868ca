import type { Labels } from '@pollux/model';

const PRIME = 0x01000193;

/**
 * The hash by which a table of alerts finds a label set: 32 bits, the sum of the hashes of its pairs, so that it can be
 * taken over a request's body in whatever order a sender writes the labels. Seeded, so that labels which all fall on one
 * hash are not easily made. Inside one process only.
 */
export function labelsHash(labels: Labels, seed: number): number {
  let sum = 0;
  for (let i = 0; i < labels.size; i++) {
    sum = (sum + pairHash(textHash(labels.nameAt(i), seed), textHash(labels.valueAt(i), seed))) | 0;
  }
  return sum;
}

/** FNV-1a over the units of a text, which for plain ASCII are its bytes. */
export function textHash(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = hashUnit(hash, text.charCodeAt(i));
  return hash;
}

/** One more unit of a text. */
export function hashUnit(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, PRIME);
}

/** Of the hashes of a name and a value. Every bit of both moves every bit of the sum (the finalizer of MurmurHash3). */
export function pairHash(name: number, value: number): number {
  let hash = Math.imul(name, 0x9e3779b1) ^ value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
