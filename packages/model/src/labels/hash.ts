import type { Labels } from './labels.ts';

const encoder = new TextEncoder();
const FNV64_OFFSET = 0xcbf29ce484222325n;
const FNV64_PRIME = 0x100000001b3n;
const MASK = (1n << 64n) - 1n;

/** FNV-1a, 64 bits. */
export function fnv1a64(data: Uint8Array): bigint {
  let hash = FNV64_OFFSET;
  for (const byte of data) hash = ((hash ^ BigInt(byte)) * FNV64_PRIME) & MASK;
  return hash;
}

/** The bytes that Prometheus' label hashes run over: name 0xff value 0xff, names sorted. */
export function hashableBytes(labels: Labels): Uint8Array {
  const parts: number[] = [];
  for (const [name, value] of labels) {
    for (const byte of encoder.encode(name)) parts.push(byte);
    parts.push(0xff);
    for (const byte of encoder.encode(value)) parts.push(byte);
    parts.push(0xff);
  }
  return Uint8Array.from(parts);
}

/**
 * The fingerprint of a label set as Alertmanager's API shows it (FNV-1a over {@link hashableBytes}), 16 hex digits.
 * Source: prometheus/common `model.LabelSet.Fingerprint`, vector in reference of the gossip wire.
 */
export function fingerprint(labels: Labels): string {
  return fnv1a64(hashableBytes(labels)).toString(16).padStart(16, '0');
}

/** A 32-bit hash for tables inside one process; not on any wire. */
export function hash32(labels: Labels): number {
  let hash = 0x811c9dc5;
  for (const [name, value] of labels) {
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0xff, 0x01000193);
    for (let i = 0; i < value.length; i++) hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0xff, 0x01000193);
  }
  return hash >>> 0;
}
